"""Chapters from the command line: their list, and the question before they are played on a cluster that is not simulated."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from kubepane import config
from kubepane.cluster import kubeconfig
from kubepane.cluster.context import Target
from kubepane.cluster.options import Options
from kubepane.exits import DONE, REFUSED, sorry
from kubepane.scenarios.book import ALL, CHAPTERS
from kubepane.scenarios.chapter import Chapter
from kubepane.scenarios.facts import SPACE
from kubepane_widgets.text import clean


def listed() -> int:
    """Prints the chapters.

    Returns:
        The exit code.
    """
    for chapter in CHAPTERS.values():
        sys.stdout.write(f"{chapter.name:<10} {chapter.title}\n")
    sys.stdout.write(f"{ALL:<10} one after another\n")
    return DONE


def at_home(options: Options) -> Options:
    """The options for a demo: the story's namespace, unless others are asked for."""
    return options if options.all_namespaces or options.namespaces else replace(options, namespaces=(SPACE,))


def here(options: Options, chapters: Sequence[Chapter]) -> int:
    """Plays chapters on the cluster that the kubeconfig names, after asking once.

    Raises:
        BadConfig: the kubeconfig names none.

    Returns:
        The exit code.
    """
    from kubepane.app import run  # Textual: only where something is drawn
    from kubepane.screens.playing import Play  # the same

    settled = config.apply(config.load(options), options)
    if settled.read_only:
        return sorry("demo: read-only: a scenario changes the cluster", REFUSED)
    found = kubeconfig.load(options.kubeconfig)
    target = found.context(options.context, act_as=options.as_user, act_groups=options.as_groups, protection=settled.protection).target
    if not sys.stdin.isatty():
        return sorry("demo: there is no terminal to ask at, and a scenario changes the cluster", REFUSED)
    if not _agreed(target, chapters):
        return sorry("demo: not done", REFUSED)
    return run(at_home(options), None, Play(tuple(chapters), lasting=True).screen)


def _agreed(target: Target, chapters: Sequence[Chapter]) -> bool:
    out = [f"On {target.context} ({target.host}), as {target.acting_as or target.user or 'nobody'}, in namespace {SPACE}:"]
    out += ["  applies the set story, where it is missing; it stays", *(f"  {one.name}: {one.touches}" for one in chapters)]
    out += ["and puts it back at the end."]
    sys.stdout.write("".join(f"{clean(line)}\n" for line in out))
    wanted = target.context if target.protected else "yes"
    sys.stdout.write(f"This context is protected: type {clean(wanted)} to go on: " if target.protected else "Play? [y/N] ")
    sys.stdout.flush()
    answer = sys.stdin.readline().strip()
    return answer == wanted or (not target.protected and answer.lower() in ("y", "yes"))
