"""The cards in front of applying and deleting: which bundled set, or which path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from textual.screen import Screen

from kubepane.acting import applying, removing, sources
from kubepane.acting.plan import Intent, Malformed
from kubepane.cluster.session import Session
from kubepane_manifests import catalogue
from kubepane_widgets.form import Field, FormCard
from kubepane_widgets.listcard import Item, ListCard

PATH = "path"  # the item that asks for one; no set is called so
DELETE = "delete"
PAST = 10  # paths that are remembered


class SetCards:
    """Asks for a set or a path, and hands on what is meant.

    Args:
        screen: over which the cards appear.
        session: whose namespaces count.
        ask: shows an intent, to be confirmed, under a title.
    """

    def __init__(self, screen: Screen[None], session: Session, ask: Callable[[Intent, str], None]) -> None:
        self._screen, self._session, self._ask = screen, session, ask
        self._past: tuple[str, ...] = ()
        self._reading: asyncio.Task[None] | None = None

    def apply(self) -> None:
        """Asks what to apply; ctrl-d on a set deletes it instead."""
        card = ListCard("Apply", self._items(), where=self._where, other=("ctrl+d", DELETE, "^d deletes it"), cells=110)
        self._screen.app.push_screen(card, lambda chosen: self._chosen(chosen, delete=bool(chosen and DELETE in chosen[1:])))

    def delete(self) -> None:
        """Asks which set to delete."""
        self._screen.app.push_screen(
            ListCard("Delete a set", self._items(), where=self._where, cells=110), lambda chosen: self._chosen(chosen, delete=True)
        )

    @property
    def _where(self) -> list[tuple[str, str]]:
        return [(self._session.context or "no context", "muted")]

    def _items(self) -> list[Item]:
        found = catalogue.sets()
        room = max(len(one.name) for one in found)
        return [
            *(Item(one.name, f"{one.name:<{room}}  {one.description}") for one in found),
            Item(PATH, f"{'a path …':<{room}}  a file or a folder of yours"),
        ]

    def _chosen(self, chosen: list[str] | None, *, delete: bool) -> None:
        if not chosen:
            return
        if chosen[0] != PATH:
            self._read(chosen[0], delete=delete)
            return
        hint = "a YAML file, a folder of them, or one with a kustomization.yaml; ↑ ↓ what was typed before"
        card = FormCard("Delete" if delete else "Apply", [Field("path", hint=hint, past=self._past)], _fault, where=self._where, cells=100)

        def answered(texts: list[str] | None) -> None:
            if texts:
                self._past = tuple(dict.fromkeys((texts[0], *self._past)))[:PAST]
                self._read(str(_path(texts[0])), delete=delete)

        self._screen.app.push_screen(card, answered)

    def _read(self, what: str, *, delete: bool) -> None:
        self._reading = asyncio.get_running_loop().create_task(self._go_on(what, delete=delete))

    async def _go_on(self, what: str, *, delete: bool) -> None:
        """Reads the manifests beside the drawing: a large file takes a while."""
        title = f"{'Delete' if delete else 'Apply'} {what}"
        try:
            source = await asyncio.to_thread(sources.read, what)
        except Malformed as error:
            self._screen.notify(str(error), title=title, severity="error", markup=False)
            return
        shown = self._session.namespaces
        space = shown[0] if len(shown) == 1 else "default"
        self._ask(removing.intent(source, space) if delete else applying.intent(source, space), title)


def _path(text: str) -> Path:
    path = Path(text.strip()).expanduser()
    return path if path.is_absolute() else Path.cwd() / path  # never the name of a set


def _fault(texts: list[str]) -> str:
    """What is wrong with a path that is being typed, "" when it is there."""
    if not texts[0].strip():
        return "a path is needed"
    try:
        return "" if _path(texts[0]).exists() else "there is no such file or folder"
    except (OSError, ValueError, RuntimeError):
        return "that is no path"
