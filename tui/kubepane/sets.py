"""Manifests on the command line: what is bundled, and applying or deleting a set or a path."""

from __future__ import annotations

import sys

import msgspec

from kubepane import changing
from kubepane.acting import applying, discovery, removing, sources
from kubepane.acting.naming import namespace_of
from kubepane.acting.plan import Intent, Malformed
from kubepane.acting.sources import Source
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane.exits import DONE, USAGE, sorry
from kubepane_manifests import catalogue, places
from kubepane_manifests.catalogue import ManifestSet

# ---- what is bundled -----------------------------------------------------------------------------------------------------------


def listed(form: str) -> int:
    """Prints the bundled sets, each with one line about it."""
    found = catalogue.sets()
    if form == "json":
        whole = [_record(one) for one in found]
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n")
        return DONE
    room = max(len(one.name) for one in found)
    sys.stdout.write("".join(f"{one.name:<{room}}  {one.description}\n" for one in found))
    return DONE


def _record(one: ManifestSet) -> dict[str, object]:
    cure = {"cure": {"verb": one.cure[0], "set": one.cure[1]}} if one.cure else {}
    return {"name": one.name, "description": one.description, "needs": list(one.needs), "folder": str(one.folder), **cure}


def show(name: str) -> int:
    """Prints the files of a set as they are, comments and all."""
    try:
        found = catalogue.find(name)
    except KeyError as error:
        return sorry(f"manifests: {error.args[0]}", USAGE)
    texts = [f"# {path.relative_to(places.MANIFESTS)}\n{path.read_text(encoding='utf-8')}" for path in found.files()]
    sys.stdout.write("---\n".join(text if text.endswith("\n") else f"{text}\n" for text in texts))
    return DONE


# ---- applying and deleting -----------------------------------------------------------------------------------------------------


def apply(options: Options, what: str, manner: changing.Manner) -> int:
    """Applies a bundled set, a path, or standard input for `-`."""
    try:
        source = sources.read(what)
    except Malformed as error:
        return sorry(f"apply: {error}", USAGE)

    def intend(session: Session) -> Intent:
        return applying.intent(source, _look_at(session, source))

    return changing.make(options, "apply", intend, manner)


def delete(options: Options, what: str, manner: changing.Manner) -> int:
    """Deletes the objects of a bundled set, or of a path, that are there."""
    try:
        source = sources.read(what)
    except Malformed as error:
        return sorry(f"delete: {error}", USAGE)

    def intend(session: Session) -> Intent:
        return removing.intent(source, _look_at(session, source))

    return changing.make(options, "delete_set", intend, manner, discovery.watched(source.objects))


def _look_at(session: Session, source: Source) -> str:
    """Watches the namespaces of a source, and gives that of the objects that name none."""
    space = namespace_of(session.namespaces)
    session.set_namespaces(applying.spaces(source, space))
    return space
