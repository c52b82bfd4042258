"""The three commands as the command line calls them: outcome on stdout, one line on stderr when it cannot be, and the exit code."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

from kubepane.cluster.options import Options
from kubepane.kindcluster import down as removing, plan, status as looking
from kubepane.kindcluster.ownership import Records
from kubepane.kindcluster.plan import Wanted
from kubepane.kindcluster.programs import Programs, TookTooLong
from kubepane.kindcluster.progress import Progress
from kubepane.kindcluster.site import MachineTime, Site, Time
from kubepane.kindcluster.trouble import DONE, INTERRUPTED, NO, REFUSED, Trouble
from kubepane.kindcluster.up import Up
from kubepane_widgets.text import clean


def up(options: Options, wanted: Wanted, dry_run: bool, time: Time | None = None) -> int:
    """Makes the cluster, or what is missing of it.

    Returns:
        The exit code.
    """
    if dry_run:
        sys.stdout.write("".join(f"{line}\n" for line in plan.script(wanted)))
        return DONE
    site = _site(options, time)
    work = Up(site, wanted)

    def run() -> int:
        if options.read_only:
            raise Trouble("read-only: nothing was done", "leave out --read-only", REFUSED)
        with site.records.only_one(wanted.name):
            return work.run()

    return _answer("up", site, run, lambda: work.left)


def down(options: Options, name: str, yes: bool, time: Time | None = None) -> int:
    """Removes the cluster.

    Returns:
        The exit code.
    """
    site = _site(options, time)

    def run() -> int:
        if options.read_only:
            raise Trouble("read-only: nothing was done", "leave out --read-only", REFUSED)
        with site.records.only_one(name):
            return removing.down(site, name, options.kubeconfig, _sure if yes else _ask)

    return _answer("down", site, run, lambda: "`kubepane kind status` says what is left")


def status(options: Options, name: str, form: str, time: Time | None = None) -> int:
    """Says what there is.

    Returns:
        The exit code.
    """
    site = _site(options, time)
    return _answer("status", site, lambda: looking.status(site, name, options.kubeconfig, form), lambda: "")


def _site(options: Options, time: Time | None) -> Site:
    programs, clock = Programs(), time or MachineTime()
    return Site(programs, Records(programs.environ), clock, Progress(sys.stdout, clock.monotonic, options.ascii))


def _answer(verb: str, site: Site, run: Callable[[], int], left: Callable[[], str]) -> int:
    """Runs a command to its exit code; whatever stops it is one line."""
    try:
        with _ended_by_signals():
            return run()
    except Trouble as trouble:
        site.progress.failed()
        return _sorry(verb, str(trouble), trouble.code, left() if trouble.code == NO else "")
    except TookTooLong as late:
        site.progress.failed()
        return _sorry(verb, f"{late}; run it again", NO, left())
    except KeyboardInterrupt:
        site.progress.failed()
        return _sorry(verb, "interrupted", INTERRUPTED, left())


def _sorry(verb: str, text: str, code: int, left: str) -> int:
    sys.stderr.write(f"kubepane kind {verb}: {clean(text)}{f'; {clean(left)}' if left else ''}\n")
    return code


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A closed terminal and a polite kill end the command as Ctrl-C does: the program that it started must not go on alone."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _sure(_question: str) -> None:
    """The user has said --yes."""


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise Trouble("not done: there is no terminal to ask at", "--yes asks nothing", REFUSED)
    sys.stdout.write(f"{clean(question)} [y/N] ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Trouble("not done", "answer y to remove it", REFUSED)
