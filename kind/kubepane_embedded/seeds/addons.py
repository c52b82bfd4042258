"""What the cluster runs for itself: DNS, network, metrics, storage and ingress, as Kind with the project's add-ons has them."""

from __future__ import annotations

from importlib.resources import files

from kubepane_embedded.core import Core
from kubepane_embedded.meta import Object
from kubepane_embedded.seeds.objects import apply, documents


def addons() -> list[Object]:
    """The objects, in the order in which they are created."""
    return documents(files("kubepane_embedded.seeds").joinpath("addons.yaml").read_text(encoding="utf-8"))


def add_addons(core: Core) -> None:
    """Create them; they start once the moving parts run."""
    apply(core.api, addons())
