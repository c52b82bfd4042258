"""Manifests that were made to harm: each is refused quickly, by its name, before anything is sent."""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from pathlib import Path

import pytest

from kubepane.acting import sources
from kubepane.acting.hostile import MOST_BYTES, MOST_DOCUMENTS
from kubepane.acting.plan import Malformed
from kubepane_manifests import catalogue

GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: fine\n"


def named(name: str, more: str = "") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{more}"


def with_data(value: str) -> str:
    return f"{GOOD}data:\n  key: {value}\n"


BOMB = "\n".join(
    ["a: &a [x, x, x, x, x, x, x, x, x]", *(f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True))]
)
HOSTILE: dict[str, tuple[str, str]] = {
    # broken
    "empty": ("", "nothing is in it"),
    "only comments": ("# nothing\n---\n# still nothing\n", "nothing is in it"),
    "cut off": ("apiVersion: v1\nkind: [", "line "),
    "tab": ("apiVersion: v1\n\tkind: x\n", "line 2"),
    "bell": (with_data("\x07"), "not YAML"),
    "escape": (with_data("\x1b[2J"), "not YAML"),
    "a text": ("hello", "no object with fields"),
    "a number": ("42", "no object with fields"),
    "a list": ("- apiVersion: v1\n", "no object with fields"),
    "json cut off": ('{"apiVersion": "v1", "kind"', "line 2"),
    "json and more": ('{"apiVersion": "v1"} {"kind": "x"}', "line 1"),
    # ambiguous
    "key twice": (f"{GOOD}kind: Secret\n", "the key 'kind' stands twice"),
    "inner key twice": (f"{GOOD}data:\n  a: x\n  a: y\n", "the key 'a' stands twice"),
    "key twice in json": ('{"kind": "a", "kind": "b"}', "the key 'kind' stands twice"),
    "two keys of one text": (f"{GOOD}data:\n  1: x\n  '1': y\n", "the same text"),
    "list as key": (f"{GOOD}data:\n  ? [a, b]\n  : x\n", "a mapping's key is itself a list"),
    "mapping as key": (f"{GOOD}data:\n  ? {{a: b}}\n  : x\n", "a mapping's key is itself a list or mapping"),
    # built to harm
    "alias bomb": (BOMB, "aliases"),
    "more aliases than anybody needs": (f"a: &a x\nb: [{', '.join(['*a'] * 101)}]\n", "more than 100 aliases"),
    "long text many times": (f"a: &a {'x' * 800_000}\nb: [{', '.join(['*a'] * 90)}]\n", "values once aliases are expanded"),
    "alias to itself": ("a: &a [*a]\n", "points to nothing, or to what holds it"),
    "alias to nothing": ("a: *nothing\n", "line 1"),
    "alias of another document": ("a: &a x\n---\nb: *a\n", "line "),
    "deep lists": ("a: " + "[" * 65 + "]" * 65, "more than 64 levels"),
    "very deep lists": ("[" * 500_000, "levels deep"),
    "deep mappings": ("".join(f"{' ' * i}a:\n" for i in range(80)), "more than 64 levels"),
    "deep json": ('{"a": ' * 70 + "1" + "}" * 70, "more than 64 levels"),
    "very deep json": ('{"a": ' * 100_000 + "1" + "}" * 100_000, "levels deep"),
    "documents": (f"{GOOD}---\n" * (MOST_DOCUMENTS + 1), "documents"),
    "100,000 documents": ("---\n" * 100_000, "more than 100 documents"),
    "objects in a List": ("apiVersion: v1\nkind: List\nitems:\n" + "- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n" * 101, "more than 100 objects"),
    "too large": (GOOD + "# x\n" * (MOST_BYTES // 4), "larger than 1 MB"),
    # tags
    "python object": ("a: !!python/object/apply:os.system [ls]\n", "tag"),
    "python name": ("a: !!python/name:os.system\n", "tag"),
    "local tag": ("a: !secret x\n", "tag"),
    "binary": ("a: !!binary aGVsbG8=\n", "tag"),
    "set": ("a: !!set {x}\n", "tag"),
    "timestamp": ("a: !!timestamp 2026-01-01\n", "tag"),
    "verbatim tag": ("a: !<tag:evil.example,2026:x> y\n", "tag"),
    # numbers
    "more than 64 bits": (with_data("9223372036854775808"), "more than 64 bits"),
    "without end": (with_data("1.0e+999"), "without end"),
    "json without end": ('{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": 1e999}}', "without end"),
    "json not a number": ('{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": NaN}}', "without end"),
    # no objects
    "no apiVersion": ("kind: Pod\nmetadata: {name: a}\n", "apiVersion"),
    "no kind": ("apiVersion: v1\nmetadata: {name: a}\n", "kind"),
    "no metadata": ("apiVersion: v1\nkind: Pod\n", "no metadata.name"),
    "metadata is a text": ("apiVersion: v1\nkind: Pod\nmetadata: a\n", "no metadata.name"),
    "no name": ("apiVersion: v1\nkind: Pod\nmetadata: {labels: {a: b}}\n", "no metadata.name"),
    "a number as name": (named("42"), "no metadata.name"),
    "generateName": ("apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n", "no metadata.name"),
    "both names": ("apiVersion: v1\nkind: Pod\nmetadata: {name: a, generateName: a-}\n", "take metadata.generateName out"),
    "kind with a path": ("apiVersion: v1\nkind: ../Pod\nmetadata: {name: a}\n", "kind is missing or none"),
    "kind is a list": ("apiVersion: v1\nkind: [Pod]\nmetadata: {name: a}\n", "kind is missing or none"),
    "version with a path": ("apiVersion: ../../v1\nkind: Pod\nmetadata: {name: a}\n", "apiVersion is missing or none"),
    "version with a query": ("apiVersion: v1?x=y\nkind: Pod\nmetadata: {name: a}\n", "apiVersion is missing or none"),
    "version with too many parts": ("apiVersion: a/b/v1\nkind: Pod\nmetadata: {name: a}\n", "apiVersion is missing or none"),
    "version is a number": ("apiVersion: 1\nkind: Pod\nmetadata: {name: a}\n", "apiVersion is missing or none"),
    "List without items": ("apiVersion: v1\nkind: List\n", "items of a List"),
    "List of texts": ("apiVersion: v1\nkind: List\nitems: [a]\n", "items of a List"),
    "twice": (f"{GOOD}---\n{GOOD}", "is there twice"),
    # names that lead elsewhere
    "name up": (named("../../secrets/x"), "can be no name"),
    "name with a slash": (named("a/b"), "can be no name"),
    "name with a percent": (named("a%2fb"), "can be no name"),
    "name of dots": (named(".."), "can be no name"),
    "name with an escape": (named(r'"a\e[31mb"'), "can be no name"),
    "name with a line break": (named(r'"a\nb"'), "can be no name"),
    "name that turns the line round": (named('"a\u202eb"'), "can be no name"),
    "endless name": (named("a" * 300), "can be no name"),
    "namespace up": (named("a", "  namespace: ../kube-system\n"), "is no namespace"),
    "namespace with capitals": (named("a", "  namespace: Shop\n"), "is no namespace"),
    "namespace is a list": (named("a", "  namespace: [a]\n"), "is no namespace"),
    # what is the server's
    "managedFields": (named("a", "  managedFields: [{manager: x}]\n"), "take metadata.managedFields out"),
    "uid": (named("a", "  uid: 1-2-3\n"), "take metadata.uid out"),
    "resourceVersion": (named("a", "  resourceVersion: '7'\n"), "take metadata.resourceVersion out"),
    "an owner": (named("a", "  ownerReferences: [{uid: x}]\n"), "take metadata.ownerReferences out"),
}  # fmt: skip


def refusal(what: str) -> str:
    with pytest.raises(Malformed) as refused:
        sources.read(what)
    return str(refused.value)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_by_its_name_and_soon(name: str, tmp_path: Path) -> None:
    text, why = HOSTILE[name]
    path = tmp_path / "hostile.yaml"
    path.write_text(text, encoding="utf-8")
    started = time.process_time()
    said = refusal(str(path))
    assert why in said
    assert str(path) in said
    assert "\x1b" not in said
    assert "\n" not in said
    assert time.process_time() - started < 2


@pytest.mark.parametrize("name", ["alias bomb", "long text many times", "very deep json", "100,000 documents", "too large"])
def test_what_is_large_takes_little_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(HOSTILE[name][0], encoding="utf-8")
    tracemalloc.start()
    try:
        refusal(str(path))
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("raw", "why"), [(b"a: \xff\xfe", "not UTF-8"), ("apiVersion: v1".encode("utf-16"), "not UTF-8"), (b"a: \x00", "not YAML")])
def test_bytes_that_are_no_text(raw: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(raw)
    assert why in refusal(str(path))


def test_a_fifo_a_device_and_a_sparse_gigabyte(tmp_path: Path) -> None:
    fifo, sparse = tmp_path / "fifo.yaml", tmp_path / "sparse.yaml"
    os.mkfifo(fifo)
    with sparse.open("wb") as file:
        file.truncate(1 << 30)
    tracemalloc.start()
    try:
        assert "is no file" in refusal(str(fifo))
        assert "is no file" in refusal("/dev/zero")
        assert "larger than 1 MB" in refusal(str(sparse))
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_no_link_leads_out_of_a_folder(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside.yaml", tmp_path / "set"
    outside.write_text(GOOD)
    folder.mkdir()
    (folder / "a.yaml").symlink_to(outside)
    assert "leads out of its folder" in refusal(str(folder))
    (folder / "kustomization.yaml").write_text("resources: [a.yaml]\n")
    assert "leads out of its folder" in refusal(str(folder))


def test_a_link_inside_of_a_folder_is_fine(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text(GOOD)
    (tmp_path / "a.yaml").symlink_to(tmp_path / "one.txt")
    assert len(sources.read(str(tmp_path)).objects) == 1


@pytest.mark.parametrize(
    ("kustomization", "why"),
    [
        ("resources: [../outside.yaml]\n", "out of its folder"),
        ("resources: [/etc/passwd]\n", "out of its folder"),
        ("resources: [https://evil.example/x.yaml]\n", "addresses"),
        ("resources: [nothing.yaml]\n", "is not there"),
        ("resources: ['.']\n", "there twice"),
        ("resources: [bomb.yaml]\n", "aliases"),
        ("resources: [twice.yaml]\n", "stands twice"),
        ("resources: [fine.yaml]\npatches: [{path: ../outside.yaml}]\n", "out of its folder"),
        ("resources: [fine.yaml]\nresources: [bomb.yaml]\n", "stands twice"),
        ("resources: [fine.yaml]\ngenerators: [x.yaml]\n", "only kubectl kustomize"),
        ("resources: [fine.yaml]\nhelmCharts: [{name: x}]\n", "only kubectl kustomize"),
        ("resources: fine.yaml\n", "not of the form|is not there"),
        ("resources: [[fine.yaml]]\n", "not of the form"),
        ("resources: [fine.yaml]\npatches: [path]\n", "not of the form"),
        ("resources: [fine.yaml]\nlabels: {a: b}\n", "only kubectl kustomize"),
        ("- fine.yaml\n", "not one document"),
        ("", "not one document"),
    ],
)
def test_a_hostile_kustomization(kustomization: str, why: str, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (tmp_path / "outside.yaml").write_text(GOOD)
    (folder / "fine.yaml").write_text(GOOD)
    (folder / "bomb.yaml").write_text(BOMB)
    (folder / "twice.yaml").write_text(HOSTILE["key twice"][0])
    (folder / "kustomization.yaml").write_text(kustomization)
    said = refusal(str(folder))
    assert any(each in said for each in why.split("|")), said


def test_kustomizations_that_name_each_other_many_times_end_soon(tmp_path: Path) -> None:
    for i in range(30):
        folder = tmp_path / f"k{i}"
        folder.mkdir()
        (folder / "kustomization.yaml").write_text(f"resources: [../k{i + 1}, ../k{i + 1}]\n" if i < 29 else "resources: []\n")
    started = time.process_time()
    assert "there twice" in refusal(str(tmp_path / "k0"))
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("https://evil.example/a.yaml", "addresses are not fetched"),
        ("file:///etc/passwd", "addresses are not fetched"),
        ("nothing-here", "no bundled set and no file"),
        ("../story", "no bundled set and no file"),
        ("faults", "no bundled set and no file"),
        ("", ""),
    ],
)
def test_what_is_no_set_and_no_path(what: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert why in refusal(what)


def test_a_folder_without_manifests(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    assert "no .yaml" in refusal(str(tmp_path))
    (tmp_path / "Kustomization").write_text("resources: []\n")
    assert "only kubectl kustomize" in refusal(str(tmp_path))


# ---- what is fine --------------------------------------------------------------------------------------------------------------


def test_words_that_yaml_1_1_takes_for_booleans_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"{GOOD}data:\n  a: no\n  b: 'no'\n  on: x\n  c: true\n")
    source = sources.read(str(path))
    assert source.objects[0]["data"] == {"a": False, "b": "no", "true": "x", "c": True}
    assert [note.partition("a.yaml: ")[2] for note in source.notes] == [
        "line 6: no is read as false; in quotes it would be a text",
        "line 8: on is read as true; in quotes it would be a text",
    ]


def test_what_kubernetes_reads_as_a_text_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"{GOOD}data:\n  day: 2026-01-02\n  time: 12:30\n  8080: port\n  port: 8080\n  octal: 0o17\n  small: 1.5\n")
    assert sources.read(str(path)).objects[0]["data"] == {
        "day": "2026-01-02", "time": "12:30", "8080": "port", "port": 8080, "octal": "0o17", "small": 1.5,
    }  # fmt: skip


def test_what_a_kustomization_makes_is_such_as_json_knows_too(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{GOOD}data:\n  8080: port\n")
    (tmp_path / "kustomization.yaml").write_text("resources: [a.yaml]\nnamespace: shop\n")
    (made,) = sources.read(str(tmp_path)).objects
    assert (made["data"], made["metadata"]["namespace"]) == ({"8080": "port"}, "shop")


def test_a_list_is_its_items_and_all_are_put_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    items = [{"apiVersion": "v1", "kind": kind, "metadata": {"name": "shop"}} for kind in ("Pod", "Namespace")]
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    assert [one["kind"] for one in sources.read(str(path)).objects] == ["Namespace", "Pod"]


def test_aliases_within_reason_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"{GOOD}  labels: &labels {{app: x}}\n  annotations:\n    <<: *labels\n    more: y\n")
    assert sources.read(str(path)).objects[0]["metadata"]["annotations"] == {"app": "x", "more": "y"}


def test_every_bundled_set_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for one in catalogue.sets():
        source = sources.read(one.name)
        assert list(source.objects) == one.objects()
        assert source.notes == ()
