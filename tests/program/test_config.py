from pathlib import Path

import pytest

from kubepane import config
from kubepane.cluster.errors import BadConfig
from kubepane.cluster.options import Options


def test_no_file_is_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config.load(Options()) == config.Config()


def test_what_it_says_holds_unless_an_option_says_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "kubepane").mkdir()
    (tmp_path / "kubepane" / "config.yaml").write_text("theme: nord\nnamespaces: [a, b]\nkeys: {zoom: f}\nread_only: true\nprotected: ^shop\n")
    found = config.load(Options())
    assert found.keys == {"zoom": "f"}
    options = config.apply(found, Options(theme="gruvbox"))
    assert (options.theme, options.namespaces, options.read_only, options.protection) == ("gruvbox", ("a", "b"), True, "^shop")
    assert config.apply(found, Options(all_namespaces=True)).namespaces == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "no YAML"),
        ("- a", "Expected `object`"),
        ("colour: red", "unknown field `colour`"),
        ("ascii: 3", "Expected `bool`, got `int` - at `$.ascii`"),
        ("x: &a [*a]", "unknown"),
        ("protected: 'pro(d'", "protected is no regular expression"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(BadConfig, match=str(file)) as error:
        config.load(Options(config=str(file)))
    assert said in str(error.value)


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="no configuration file"):
        config.load(Options(config=str(tmp_path / "nope")))
