"""What the user asked for on the command line, as one frozen value that is handed down."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Options:
    """The common options; they may stand before or after the command.

    Attributes:
        kubeconfig: path given with --kubeconfig, "" for KUBECONFIG and the default.
        context: context to use, "" for the current one.
        namespaces: from -n, several times; empty for the context's own or all.
        all_namespaces: -A.
        as_user, as_groups: impersonation.
        read_only: no mutating request leaves the program.
        low_bandwidth: fewer frames and no decoration, for slow links.
        ascii: no glyph beyond ASCII.
        no_color: no colour; NO_COLOR in the environment does the same.
        theme: name of a theme.
        log_file: where the journal is written as well, "" for nowhere.
        config: path of the configuration file.
        protection: regular expression of the contexts and clusters whose name must be typed before a change; "" for the usual one.
    """

    kubeconfig: str = ""
    context: str = ""
    namespaces: tuple[str, ...] = ()
    all_namespaces: bool = False
    as_user: str = ""
    as_groups: tuple[str, ...] = ()
    read_only: bool = False
    low_bandwidth: bool = False
    ascii: bool = False
    no_color: bool = False
    theme: str = ""
    log_file: str = ""
    config: str = ""
    protection: str = ""

    def with_context(self, name: str) -> Options:
        """The same for another context. Namespaces were meant for the first one; an impersonation holds on, for to drop it
        unasked would give more rights than were asked for."""
        return replace(self, context=name, namespaces=())
