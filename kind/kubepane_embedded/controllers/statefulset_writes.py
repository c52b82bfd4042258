"""Writes of the StatefulSet controller: pods with their claims, and the events about both (statefulset/stateful_pod_control.go)."""

from __future__ import annotations

from kubepane_embedded.client import Client
from kubepane_embedded.controllers.statefulset_claims import RETAIN, has_other_controller, has_right_owners, is_stale, policy, right_owners
from kubepane_embedded.controllers.statefulset_pods import (
    claim_from,
    claim_name,
    give_identity,
    give_storage,
    has_identity,
    has_storage,
    ordinal_of,
    templates_of,
)
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Object, clone, is_deleting, key_of
from kubepane_embedded.recorder import NORMAL, WARNING, Recorder

CLAIMS = "persistentvolumeclaims"


class StatefulWrites:
    """Creates, mends and deletes pods of StatefulSets.

    Args:
        client: Who acts.
        recorder: Where events about the sets go.
    """

    def __init__(self, client: Client, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder

    def create(self, stateful_set: Object, pod: Object) -> None:
        """Create the claims of a pod, then the pod."""
        try:
            self._create_claims(stateful_set, pod)
            self._client.create("pods", pod)
            self.fix_claims(stateful_set, pod)
        except ApiError as refusal:
            if refusal.reason != "AlreadyExists":
                self._tell("Create", stateful_set, pod, refusal)
            raise
        self._tell("Create", stateful_set, pod)

    def delete(self, stateful_set: Object, pod: Object) -> None:
        """Delete a pod."""
        try:
            self._client.delete("pods", *key_of(pod))
        except ApiError as refusal:
            self._tell("Delete", stateful_set, pod, refusal)
            raise
        self._tell("Delete", stateful_set, pod)

    def complete_claims(self, stateful_set: Object, pod: Object) -> None:
        """Create claims of a pending pod that are missing, and give them their owners."""
        self._create_claims(stateful_set, pod)
        try:
            self.fix_claims(stateful_set, pod)
        except ApiError as refusal:
            self._tell("Update", stateful_set, pod, refusal)
            raise

    def mend(self, stateful_set: Object, pod: Object) -> None:
        """Give a pod back its identity, its volumes and its claims' owners, where they are not as they should be."""
        claims_fit = self.claims_fit(stateful_set, pod)
        if has_identity(stateful_set, pod) and has_storage(stateful_set, pod) and claims_fit:
            return
        wanted = clone(pod)
        give_identity(wanted)
        try:
            if not has_storage(stateful_set, pod):
                give_storage(stateful_set, wanted)
                self._create_claims(stateful_set, pod)
            if not claims_fit:
                self.fix_claims(stateful_set, pod)
            self._client.update("pods", wanted)
        except ApiError as refusal:
            self._tell("Update", stateful_set, pod, refusal)
            raise
        self._tell("Update", stateful_set, pod)

    def claims_fit(self, stateful_set: Object, pod: Object) -> bool:
        """Whether the claims that there are have the owners that the policy asks for."""
        return all(has_right_owners(claim, stateful_set, pod) for claim in self._claims(stateful_set, pod))

    def fix_claims(self, stateful_set: Object, pod: Object) -> None:
        """Give the pod's claims the owners that the policy asks for."""
        for claim in self._claims(stateful_set, pod):
            name = key_of(claim)[1]
            if has_other_controller(claim, stateful_set, pod):
                message = (
                    f"PersistentVolumeClaim {name} has a conflicting OwnerReference that acts as a manging controller, "
                    "the retention policy is ignored for this claim"
                )
                self._recorder.event(stateful_set, WARNING, "ConflictingController", message)
            if not has_right_owners(claim, stateful_set, pod):
                owners = right_owners(claim, stateful_set, pod)
                patch = {"metadata": {"ownerReferences": owners or None, "resourceVersion": claim["metadata"]["resourceVersion"]}}
                self._client.patch(CLAIMS, *key_of(claim), patch)

    def is_blocked(self, stateful_set: Object, pod: Object) -> bool:
        """Whether a claim still belongs to an earlier pod of the name and is about to go with it (PodClaimIsStale)."""
        return policy(stateful_set)[1] != RETAIN and any(is_stale(claim, pod) for claim in self._claims(stateful_set, pod))

    def _claims(self, stateful_set: Object, pod: Object) -> list[Object]:
        namespace, ordinal = key_of(stateful_set)[0], ordinal_of(pod)
        names = [claim_name(stateful_set, template, ordinal) for template in templates_of(stateful_set)]
        found = (self._client.storage.read(CLAIMS, namespace, name) for name in names)
        return [claim for claim in found if claim is not None]

    def _create_claims(self, stateful_set: Object, pod: Object) -> None:
        """Create the claims that are missing; the first trouble is raised when all were tried."""
        trouble: list[str] = []
        for template in templates_of(stateful_set):
            wanted = claim_from(stateful_set, template, ordinal_of(pod))
            name = key_of(wanted)[1]
            present = self._client.storage.read(CLAIMS, *key_of(wanted))
            if present is None:
                trouble += self._create_claim(stateful_set, pod, wanted)
            elif is_deleting(present):
                trouble.append(f"pvc {name} is being deleted")
        if trouble:
            text = trouble[0] if len(trouble) == 1 else f"[{', '.join(trouble)}]"
            raise ApiError(500, "", text)

    def _create_claim(self, stateful_set: Object, pod: Object, wanted: Object) -> list[str]:
        name, about = key_of(wanted)[1], f"Pod {key_of(pod)[1]} in StatefulSet {key_of(stateful_set)[1]}"
        try:
            self._client.create(CLAIMS, wanted)
        except ApiError as refusal:
            message = f"Create Claim {name} for {about} failed error: {refusal}"
            self._recorder.event(stateful_set, WARNING, "FailedCreate", message)
            return [f"failed to create PVC {name}: {refusal}"]
        self._recorder.event(stateful_set, NORMAL, "SuccessfulCreate", f"Create Claim {name} {about} success")
        return []

    def _tell(self, verb: str, stateful_set: Object, pod: Object, refusal: ApiError | None = None) -> None:
        about = f"{verb} Pod {key_of(pod)[1]} in StatefulSet {key_of(stateful_set)[1]}"
        if refusal is None:
            self._recorder.event(stateful_set, NORMAL, f"Successful{verb}", f"{about} successful")
        else:
            self._recorder.event(stateful_set, WARNING, f"Failed{verb}", f"{about} failed error: {refusal}")
