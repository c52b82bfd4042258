"""Who owns the fields of a new object: what was sent and defaulted; not what admission added, the server allocated or the status."""

from __future__ import annotations

from typing import Any

from embedded.conftest import Wire

CONTAINER = {"name": "c", "image": "x", "resources": {"limits": {"memory": "1Mi"}}}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}}


async def owned(wire: Wire, path: str, body: dict[str, Any]) -> dict[str, Any]:
    reply = await wire("POST", path, body)
    assert reply.code == 201, reply.body
    (entry,) = reply.body["metadata"]["managedFields"]
    fields: dict[str, Any] = entry["fieldsV1"]
    return fields


async def test_a_status_belongs_to_nobody_until_it_is_written(wire: Wire) -> None:
    body = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}, "status": {"replicas": 3}}
    assert set(await owned(wire, "/apis/apps/v1/namespaces/default/deployments", body)) == {"f:spec"}


async def test_what_is_in_a_new_list_item_was_not_there_before(wire: Wire) -> None:
    body = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}}
    fields = await owned(wire, "/apis/apps/v1/namespaces/default/deployments", body)
    container = fields["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"c"}']
    assert container["f:resources"] == {".": {}, "f:limits": {".": {}, "f:memory": {}}}
    assert "." not in fields["f:spec"]["f:template"]  # an empty Deployment has a template already


async def test_an_address_belongs_to_nobody(wire: Wire) -> None:
    fields = await owned(wire, "/api/v1/namespaces/default/services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    assert not {"f:clusterIP", "f:clusterIPs", "f:ipFamilies"} & set(fields["f:spec"])
    assert {"f:type", "f:sessionAffinity", "f:internalTrafficPolicy", "f:ports"} <= set(fields["f:spec"])


async def test_the_labels_that_a_job_gives_its_pods_belong_to_nobody(wire: Wire) -> None:
    body = {"metadata": {"name": "j"}, "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}}}
    fields = await owned(wire, "/apis/batch/v1/namespaces/default/jobs", body)
    assert "f:selector" not in fields["f:spec"]
    assert "f:metadata" not in fields["f:spec"]["f:template"]
