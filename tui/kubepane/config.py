"""The configuration file: a few settings that one does not want to type each time. A missing file is an empty one."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from kubepane.cluster.errors import BadConfig
from kubepane.cluster.options import Options

MAX_BYTES = 256 * 1024


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file may hold.

    Attributes:
        theme: name of a theme.
        ascii: no glyph beyond ASCII.
        low_bandwidth: fewer frames, for slow links.
        read_only: send no request that changes anything.
        namespaces: watched where no option names any, and tried where the whole cluster is refused.
        keys: action name → key, in Textual's words, to bind actions to other keys.
        protected: regular expression; where it is found in a context's or cluster's name, a change wants the name typed.
    """

    theme: str = ""
    ascii: bool = False
    low_bandwidth: bool = False
    read_only: bool = False
    namespaces: tuple[str, ...] = ()
    keys: dict[str, str] = {}
    protected: str = ""


def load(options: Options) -> Config:
    """Reads the file the options name, or `$XDG_CONFIG_HOME/kubepane/config.yaml`.

    Raises:
        BadConfig: the file was named and is missing, or it is no valid configuration.
    """
    path = Path(options.config) if options.config else _default()
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        if options.config:
            raise BadConfig(f"no configuration file {path}") from None
        return Config()
    except OSError as error:
        raise BadConfig(f"cannot read the configuration {path}: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise BadConfig(f"the configuration {path} is larger than {MAX_BYTES // 1024} KiB")
    import yaml  # late: most starts have no configuration file

    try:
        data = yaml.safe_load(raw) or {}
    except (yaml.YAMLError, RecursionError) as error:
        raise BadConfig(f"the configuration {path} is no YAML: {str(error).splitlines()[0]}") from None
    return _checked(data, path)


def _default() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "kubepane" / "config.yaml"


def _checked(data: Any, path: Path) -> Config:
    try:
        found = msgspec.convert(data, Config)
        re.compile(found.protected)
    except msgspec.ValidationError as error:
        raise BadConfig(f"the configuration {path} is wrong: {error}") from None
    except re.error as error:
        raise BadConfig(f"the configuration {path} is wrong: protected is no regular expression: {error}") from None
    return found


def apply(config: Config, options: Options) -> Options:
    """The options with what the file adds; an option given on the command line wins."""
    return replace(
        options,
        theme=options.theme or config.theme,
        ascii=options.ascii or config.ascii,
        low_bandwidth=options.low_bandwidth or config.low_bandwidth,
        read_only=options.read_only or config.read_only,
        namespaces=options.namespaces or (() if options.all_namespaces else config.namespaces),
        protection=options.protection or config.protected,
    )
