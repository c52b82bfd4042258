"""A program that does a few things with the generated client library; it runs by itself, for kubepane loads only a part of that library."""

from __future__ import annotations

import asyncio
import sys

from kubernetes_asyncio import client, config


async def main(kubeconfig: str, namespace: str) -> None:
    """Create, list and miss; raises when something is not as it should be."""
    settings = client.Configuration()
    await config.load_kube_config(kubeconfig, client_configuration=settings)
    async with client.ApiClient(settings) as api:
        core = client.CoreV1Api(api)
        made = await core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="typed"), data={"a": "1"}))
        listed = await core.list_namespaced_config_map(namespace, field_selector="metadata.name=typed")
        assert [obj.metadata.uid for obj in listed.items] == [made.metadata.uid]
        assert made.data == {"a": "1"}
        try:
            await core.read_namespaced_pod("none", namespace)
        except client.ApiException as refusal:
            print(refusal.status)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
