"""The files a container sees: a few of the system's, its mounted volumes, and what it has written itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

Disk: TypeAlias = dict[str, str]
"""Path inside a volume → text."""
LARGEST = 256 * 1024
"""Characters of one written file; more is refused as a full disk."""
FOLDERS = ("bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr", "var")


class DiskFull(Exception):
    """A write that does not fit."""


class ReadOnly(Exception):
    """A write into a volume that cannot be written."""


class Mount(NamedTuple):
    """A volume in a container.

    Args:
        path: Where it is mounted; a file when a file of the volume is mounted by subPath.
        read: Its files now.
        disk: Where writes go; None for a read-only volume.
        sub_path: The part of the volume that is meant, "" for all of it.
    """

    path: str
    read: Callable[[], Disk]
    disk: Disk | None = None
    sub_path: str = ""

    def inside(self, path: str) -> str | None:
        """The path inside the volume, or None when it is not in this mount."""
        if path == self.path:
            return self.sub_path
        if path.startswith(self.path.rstrip("/") + "/"):
            rest = path[len(self.path.rstrip("/")) + 1 :]
            return f"{self.sub_path}/{rest}" if self.sub_path else rest
        return None


def normal(path: str, folder: str = "/") -> str:
    """An absolute path without `.`, `..` and double slashes."""
    parts: list[str] = []
    for part in (path if path.startswith("/") else f"{folder}/{path}").split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


class Files:
    """What one run of a container can read and write.

    Args:
        system: Files of the image and those that the kubelet makes (/etc/hostname, /etc/hosts …).
        mounts: The container's volumes.
    """

    def __init__(self, system: Disk, mounts: list[Mount]) -> None:
        self._own: Disk = dict(system)
        self._folders: set[str] = set()
        self._mounts = sorted(mounts, key=lambda mount: -len(mount.path))

    def read(self, path: str) -> str | None:
        """The text of a file, or None."""
        mount = self._mount(path)
        if mount is None:
            return self._own.get(path)
        return mount.read().get(mount.inside(path) or "")

    def write(self, path: str, text: str, append: bool = False) -> None:
        """Replace a file's text, or add to it; raises DiskFull and ReadOnly."""
        text = (self.read(path) or "") + text if append else text
        if len(text) > LARGEST:
            raise DiskFull
        mount = self._mount(path)
        if mount is None:
            self._own[path] = text
        elif mount.disk is None:
            raise ReadOnly
        else:
            mount.disk[mount.inside(path) or ""] = text

    def remove(self, path: str) -> bool:
        """Remove a file or a folder with what is in it; whether there was one."""
        mount = self._mount(path)
        if mount is not None and mount.disk is None:
            raise ReadOnly
        disk = self._own if mount is None else mount.disk or {}
        inside = path if mount is None else mount.inside(path) or ""
        found = [name for name in disk if name == inside or name.startswith(inside + "/")]
        for name in found:
            del disk[name]
        folder = path in self._folders
        self._folders.discard(path)
        return bool(found) or folder

    def make_folder(self, path: str) -> None:
        """Make an empty folder."""
        self._folders.add(path)

    def is_folder(self, path: str) -> bool:
        """Whether it is a folder."""
        return (
            path == "/"
            or path in self._folders
            or any(True for _ in self._under(path))
            or any(m.path == path and not m.sub_path for m in self._mounts)
        )

    def names(self, path: str) -> list[str]:
        """What a folder contains, sorted."""
        head = path.rstrip("/") + "/"
        found = {name[len(head) :].split("/")[0] for name in self._under(path)}
        found |= {folder[len(head) :].split("/")[0] for folder in self._folders if folder.startswith(head)}
        found |= {mount.path[len(head) :].split("/")[0] for mount in self._mounts if mount.path.startswith(head)}
        if path == "/":
            found.update(FOLDERS)
        return sorted(name for name in found if name and not name.startswith("..data"))

    def _under(self, path: str) -> Iterable[str]:
        head = path.rstrip("/") + "/"
        mount = self._mount(path)
        if mount is None:
            yield from (name for name in self._own if name.startswith(head))
            return
        inside = mount.inside(path) or ""
        prefix = f"{inside}/" if inside else ""
        yield from (head + name[len(prefix) :] for name in mount.read() if name.startswith(prefix))

    def _mount(self, path: str) -> Mount | None:
        return next((mount for mount in self._mounts if mount.inside(path) is not None), None)
