import json

import pytest

from kubepane.views import manifest


def test_secret_values_never_get_through() -> None:
    raw = json.dumps(
        {
            "kind": "Secret",
            "metadata": {"name": "s", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"password":"aHVudGVyMg=="}}'}},
            "data": {"password": "aHVudGVyMg==", "odd": 5},
            "stringData": {"plain": "hunter2"},
        }
    ).encode()
    text = manifest.to_yaml(manifest.readable(raw))
    assert "aHVudGVyMg" not in text
    assert "hunter2" not in text
    assert "password: •••••• (7 bytes)" in text


def test_managed_fields_go_and_the_order_stays() -> None:
    raw = b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","managedFields":[1]},"spec":{"b":1,"a":"x\\ny"}}'
    text = manifest.to_yaml(manifest.readable(raw))
    assert text == "kind: Pod\napiVersion: v1\nmetadata:\n  name: p\nspec:\n  b: 1\n  a: |-\n    x\n    y\n"


def test_an_answer_that_is_no_object() -> None:
    with pytest.raises(ValueError, match="not an object"):
        manifest.readable(b"[1]")
