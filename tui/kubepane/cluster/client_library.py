"""kubernetes_asyncio without the thousand generated models beside its ApiClient. Imported late, and only by `transport`.

The packages' own `__init__` import every model and every API: 0.4 s and 35 MiB, none of which is used here. So the packages are
entered into sys.modules without being executed, and only the modules that are needed get loaded. `whole` makes up for it.
Should a later release need more of itself than that, the plain import is taken, which is only slower.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

_PACKAGES = ("kubernetes_asyncio", "kubernetes_asyncio.client", "kubernetes_asyncio.client.models")
_BARE: dict[str, ModuleType] = {}  # entered by us, not executed yet


def _enter_bare() -> None:
    for name in _PACKAGES:
        if name in sys.modules:
            continue  # somebody has imported the whole already
        spec = importlib.util.find_spec(name)
        if spec is None:
            return
        _BARE[name] = sys.modules[name] = importlib.util.module_from_spec(spec)


def _forget() -> None:
    _BARE.clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "kubernetes_asyncio"]:
        del sys.modules[name]


def whole() -> ModuleType:
    """The complete package, for who needs its models or typed APIs; the classes loaded here stay the same objects."""
    for name in reversed(_PACKAGES):  # inner ones first: an outer __init__ takes what it finds in sys.modules
        module = _BARE.pop(name, None)
        if module is not None and module.__spec__ is not None and module.__spec__.loader is not None:
            module.__spec__.loader.exec_module(module)
    return importlib.import_module("kubernetes_asyncio")


_enter_bare()
try:
    from kubernetes_asyncio.client.api_client import ApiClient
    from kubernetes_asyncio.client.configuration import Configuration
    from kubernetes_asyncio.client.rest import RESTClientObject
except (ImportError, AttributeError):
    _forget()
    from kubernetes_asyncio.client.api_client import ApiClient
    from kubernetes_asyncio.client.configuration import Configuration
    from kubernetes_asyncio.client.rest import RESTClientObject

__all__ = ["ApiClient", "Configuration", "RESTClientObject", "whole"]
