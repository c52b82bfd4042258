"""`kubepane demo --scenario`: what is listed, what is refused, and the question before a cluster that lives on is changed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from kubepane import cli, exits, staging
from kubepane.cluster.options import Options
from kubepane.scenarios.book import CHAPTERS
from kubepane.screens.playing import Play

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: {name}
contexts: [{{name: {name}, context: {{cluster: c, user: ann}}}}]
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:1/secret-path"}}}}]
users: [{{name: ann, user: {{}}}}]
"""


class Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The chapters that the dashboard was asked to play."""
    found: list[tuple[str, ...]] = []

    def run(options: object, clock: object, first: object) -> int:
        play: Play = first.__self__  # type: ignore[attr-defined]
        assert play.lasting
        found.append(tuple(chapter.name for chapter in play.chapters))
        return 0

    monkeypatch.setattr("kubepane.app.run", run)
    return found


def words(tmp_path: Path, name: str, *more: str) -> list[str]:
    (tmp_path / "config").write_text(KUBECONFIG.format(name=name))
    return ["demo", "--here", "--kubeconfig", str(tmp_path / "config"), *more]


def test_the_chapters_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--scenario", "list"]) == exits.DONE
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [*CHAPTERS, "all"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--scenario", "nope"), "no scenario 'nope': taint, hpa, claim, sticky, policy, rollback, all, or list"),
        (("--here",), "--here plays a scenario"),
        (("--context", "prod"), "this is a simulated cluster; --here"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_exit_2(given: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", *given]) == exits.USAGE
    text = capsys.readouterr().err
    assert said in text
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    ("context", "answer", "plays"),
    [
        ("kind", "y\n", True),
        ("kind", "yes\n", True),
        ("kind", "\n", False),
        ("kind", "kind\n", False),
        ("prod-eu", "y\n", False),
        ("prod-eu", "yes\n", False),
        ("prod-eu", "prod-eu\n", True),
    ],
)
def test_a_cluster_that_lives_on_is_asked_for_once(
    context: str,
    answer: str,
    plays: bool,
    tmp_path: Path,
    played: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", Keyboard(answer))
    code = cli.main(words(tmp_path, context, "--scenario", "all"))
    text = capsys.readouterr().out
    assert (code, played) == ((exits.DONE, [tuple(CHAPTERS)]) if plays else (exits.REFUSED, []))
    assert all(chapter.touches in text for chapter in CHAPTERS.values())
    assert context in text
    assert "secret-path" not in text


def test_without_a_terminal_or_read_only_nothing_is_played(
    tmp_path: Path, played: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert cli.main(words(tmp_path, "kind", "--scenario", "taint")) == exits.REFUSED
    assert "no terminal to ask at" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", Keyboard("y\n"))
    assert cli.main(words(tmp_path, "kind", "--scenario", "taint", "--read-only")) == exits.REFUSED
    assert "read-only" in capsys.readouterr().err
    assert played == []


def test_a_demo_begins_in_the_story_unless_told_otherwise() -> None:

    assert staging.at_home(Options()).namespaces == ("chatapp",)
    assert staging.at_home(Options(namespaces=("shop",))).namespaces == ("shop",)
    assert staging.at_home(Options(all_namespaces=True)).namespaces == ()
