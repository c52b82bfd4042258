import argparse

import pytest

from kubepane import cli, exits
from kubepane.arguments import watching
from kubepane.cluster.options import Options


def parsed(*words: str) -> tuple[Options, argparse.Namespace]:
    given = cli._parser().parse_args(cli._command_first(list(words)))
    return cli._options(given), given


def test_common_options_may_stand_on_both_sides_of_the_command() -> None:
    before, _ = parsed("-n", "a", "--context", "c", "snapshot")
    after, _ = parsed("snapshot", "-n", "a", "--context", "c")
    assert before == after
    both, _ = parsed("-n", "a", "snapshot", "-n", "b", "-n", "a")
    assert both.namespaces == ("a", "b")


@pytest.mark.parametrize("words", [(), ("-n", "run"), ("--context", "snapshot-me", "-A"), ("--read-only",)])
def test_without_a_command_it_is_run(words: tuple[str, ...]) -> None:
    _, given = parsed(*words)
    assert given.run is watching._run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bogus",), "invalid choice: 'bogus'"),
        (("snapshot", "podz"), "no pane 'podz'"),
        (("snapshot", "--size", "0x5"), "no size"),
        (("snapshot", "--wait", "-1"), "no number of seconds"),
        (("-n", "Shop"), "no namespace name"),
        (("snapshot", "--format", "xml"), "invalid choice"),
        (("run", "--nope"), "unrecognized arguments: --nope"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == exits.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert "--help" in err


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([name, "--help"])
    assert end.value.code == 0
    assert f"Example: kubepane {name}" in " ".join(capsys.readouterr().out.split())


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(watching, "_doctor", interrupted)
    assert cli.main(["doctor"]) == exits.INTERRUPTED


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--theme", "no-such"), "no theme 'no-such'"),
        (("run", "--config", "/nope/c"), "no configuration file"),
        (("run", "--log-file", "/nope/l"), "cannot write"),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_line_and_exit_2(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == exits.USAGE
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
