"""Kinds by apiVersion and kind: those of the program, and any other that the server serves (CustomResourceDefinitions)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from kubepane.acting.plan import Unfit
from kubepane.cluster import resources as r
from kubepane.cluster.errors import NotKubernetes, Refused
from kubepane.cluster.kinds import KINDS, Kind
from kubepane.cluster.writing import Raw

Read = Callable[[str], Awaitable[bytes]]
Name = tuple[str, str]
"""apiVersion and kind."""
_PLURAL = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")  # `pods/log` is a subresource, and a path is none


class _Resource(msgspec.Struct, frozen=True):
    name: str = ""
    kind: str = ""
    namespaced: bool = False


class _Resources(msgspec.Struct, frozen=True):
    resources: tuple[_Resource, ...] | None = None


def name_of(obj: Raw) -> Name:
    """How an object names its kind."""
    return str(obj["apiVersion"]), str(obj["kind"])


def own(name: Name) -> Kind | None:
    """The kind where it is one of those that are watched."""
    version, kind = name
    return next((each for each in KINDS if each.kind == kind and _version(each) == version), None)


def watched(objects: Iterable[Raw]) -> tuple[Kind, ...]:
    """The kinds of objects that can be watched."""
    return tuple(dict.fromkeys(kind for obj in objects if (kind := own(name_of(obj))) is not None))


def _version(kind: Kind) -> str:
    return f"{kind.group}/{kind.version}" if kind.group else kind.version


async def kinds(read: Read, names: Iterable[Name]) -> dict[Name, Kind]:
    """The kinds that the server serves, of those that are asked for; one GET for each group and version that is not known here.

    Raises:
        ClusterError: a discovery document could not be read.
    """
    wanted = list(dict.fromkeys(names))
    found = {name: kind for name in wanted if (kind := own(name)) is not None}
    versions = sorted({version for version, kind in wanted if (version, kind) not in found})
    for version, resources in zip(versions, await asyncio.gather(*(_served(read, version) for version in versions)), strict=True):
        for one in resources:
            if (version, one.kind) in wanted and (version, one.kind) not in found and _PLURAL.fullmatch(one.name):
                group, _, short = version.rpartition("/")
                found[version, one.kind] = Kind(one.name, one.kind, group, short, r.Object, namespaced=one.namespaced)
    return found


async def _served(read: Read, version: str) -> tuple[_Resource, ...]:
    """The resources of a group and version, none where the server has not got it."""
    try:
        answer = await read(f"/apis/{version}" if "/" in version else f"/api/{version}")
        return msgspec.json.decode(answer, type=_Resources).resources or ()
    except Refused as error:
        if error.status == 404:
            return ()
        raise
    except msgspec.DecodeError:
        raise NotKubernetes(f"what the server says about {version} cannot be read") from None


def missing(name: Name, objects: Iterable[Raw]) -> Unfit:
    """Why an object cannot be applied: its kind is not served."""
    version, kind = name
    defined = any(one["kind"] == "CustomResourceDefinition" and _defines(one, kind) for one in objects)
    hint = "; its CustomResourceDefinition is among these objects: apply that alone first" if defined else ""
    return Unfit(f"this server has no {kind} in {version}{hint}")


def _defines(definition: Raw, kind: str) -> bool:
    spec = definition.get("spec")
    names = spec.get("names") if isinstance(spec, dict) else None
    return isinstance(names, dict) and names.get("kind") == kind
