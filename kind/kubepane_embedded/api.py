"""The one door to the store: every write of HTTP clients and controllers alike is admitted, defaulted and validated here.

Verbs are synchronous and run on the cluster's thread. They take a `Resource` and return a `Stored` version; refusals are `ApiError`s
in the real server's words. Controllers use `client.Client`, which names resources by their place in the store and works with dicts.
Order of a create: name → defaults → field owners → mutating admission → preparation → validation → quota → store
(apiserver/pkg/endpoints/handlers/create.go, pkg/registry/generic/registry/store.go): what admission adds belongs to nobody.
"""

from __future__ import annotations

from collections.abc import Callable

from kubepane_embedded import admission, deletion, errors, naming, strategy, validation
from kubepane_embedded.clock import Clock
from kubepane_embedded.defaults import set_defaults
from kubepane_embedded.managed import created, track
from kubepane_embedded.meta import Object, clone, is_deleting
from kubepane_embedded.ownership import Owned, from_entries
from kubepane_embedded.registry import Registry, Resource
from kubepane_embedded.requests import DeleteOptions, User, WriteOptions
from kubepane_embedded.seed import Seed
from kubepane_embedded.storage import Storage, Stored
from kubepane_embedded.world import World

Change = Callable[[Stored], tuple[Object, tuple[Owned, ...] | None]]
"""Computes the wanted object from the present one; with explicit owners of fields (apply), or None to have them tracked."""


class Api(World):
    """Verbs over one store; see `World` for the arguments."""

    def __init__(self, storage: Storage, registry: Registry, clock: Clock, seed: Seed) -> None:
        super().__init__(storage, registry, clock, seed)
        self.allocator = strategy.Allocator(self)
        self.created: list[Callable[[Resource, Object], None]] = []
        """Called after an object was stored for the first time (what comes with a new namespace)."""

    # reading

    def get(self, resource: Resource, namespace: str, name: str) -> Stored:
        """The newest version; NotFound when absent."""
        found = self.storage.stored(resource.storage, namespace, name)
        if found is None:
            raise errors.not_found(resource.group, resource.plural, name)
        return found

    # creating

    def create(
        self, user: User, resource: Resource, namespace: str, body: Object, options: WriteOptions, owners: tuple[Owned, ...] | None = None
    ) -> Stored:
        """Create an object from a body of the stored version; the body is not changed. `owners` are set by an apply."""
        obj = self._named(resource, namespace, body)
        admission.check_namespace(self, resource, namespace, obj["metadata"].get("name", ""))
        set_defaults(resource, obj, None)
        managed = created(resource, obj, options.manager, self.clock.stamp()) if owners is None else owners
        admission.mutate_create(self, user, resource, obj, options)
        strategy.prepare_create(self, resource, obj, options)
        validation.check(resource, obj, None, options)
        name = obj["metadata"]["name"]
        if (present := self.storage.stored(resource.storage, namespace, name)) is not None:
            raise errors.already_exists(resource.group, resource.plural, name, is_deleting(present.obj))
        admission.check_create(self, user, resource, obj, options)
        self.allocator.allocate(resource, obj, None, options)
        if options.dry_run:
            return Stored(obj, 0, managed)
        stored = self.storage.put(resource.storage, obj, managed)
        for follow in self.created:
            follow(resource, obj)
        return stored

    def _named(self, resource: Resource, namespace: str, body: Object) -> Object:
        obj: Object = clone(body)
        meta = obj["metadata"] = dict(obj.get("metadata") or {})
        given = meta.get("namespace")
        if resource.namespaced and given and given != namespace:
            raise errors.bad_request("the namespace of the provided object does not match the namespace sent on the request")
        if not resource.namespaced and given:
            raise errors.bad_request("namespace is not allowed on this type")
        if meta.pop("resourceVersion", "") not in ("", None):
            raise errors.ApiError(500, "", "resourceVersion should not be set on objects to be created")
        if resource.namespaced:
            meta["namespace"] = namespace
        naming.generate(self, resource, namespace, meta)
        for field in ("managedFields", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
            meta.pop(field, None)
        meta["uid"] = self.seed.uid()
        meta["creationTimestamp"] = self.clock.stamp()
        if resource.generation:
            meta["generation"] = 1
        return obj

    # changing

    def update(self, user: User, resource: Resource, namespace: str, name: str, body: Object, options: WriteOptions, subresource: str = "") -> Stored:
        """Replace an object, or its status with `subresource="status"`; a resourceVersion or uid in the body is a precondition."""
        sent = body.get("metadata") or {}
        present = self.get(resource, namespace, name).obj["metadata"]
        if sent.get("uid") and sent["uid"] != present["uid"]:
            raise errors.wrong_uid(resource.group, resource.plural, namespace, name, sent["uid"], present["uid"])
        managed = sent.get("managedFields")
        owners = from_entries(managed) if managed == [{}] else None
        return self.change(user, resource, namespace, name, lambda _: (body, owners), options, subresource)

    def change(
        self, user: User, resource: Resource, namespace: str, name: str, change: Change, options: WriteOptions, subresource: str = ""
    ) -> Stored:
        """Apply a change (replace, patch, apply) to the newest version.

        A resourceVersion in what `change` returns is a precondition. Nothing is written when nothing differs.
        """
        old = self.get(resource, namespace, name)
        wanted, owners = change(old)
        obj = self._checked(resource, old, clone(wanted))
        strategy.prepare_update(self, resource, obj, old.obj, subresource, options)
        if subresource in ("", "ephemeralcontainers"):
            set_defaults(resource, obj, old.obj)
        if not subresource:
            admission.mutate_update(self, user, resource, obj, old.obj, options)
        strategy.bump_generation(resource, obj, old.obj, subresource)
        validation.check(resource, obj, old.obj, options, subresource)
        if not subresource:
            admission.check_update(self, user, resource, obj, old.obj)
            self.allocator.allocate(resource, obj, old.obj, options)
        if owners is None:
            owners = track(resource, old.obj, obj, old.managed, options.manager, subresource, self.clock.stamp())
        return self._save(resource, old, obj, owners, options)

    def _checked(self, resource: Resource, old: Stored, obj: Object) -> Object:
        meta = obj["metadata"] = dict(obj.get("metadata") or {})
        present = old.obj["metadata"]
        name = present["name"]
        naming.check_name(obj, name)
        if resource.namespaced and meta.get("namespace") and meta["namespace"] != present["namespace"]:
            raise errors.bad_request("the namespace of the provided object does not match the namespace sent on the request")
        asked = meta.get("resourceVersion")
        if asked and asked not in ("0", present["resourceVersion"]):
            if not str(asked).isdigit():
                raise errors.invalid(
                    resource.group,
                    resource.kind,
                    name,
                    [errors.Cause("FieldValueInvalid", f'Invalid value: "{asked}": must be an unsigned integer', "metadata.resourceVersion")],
                )
            raise errors.conflict(resource.group, resource.plural, name)
        if meta.get("uid") and meta["uid"] != present["uid"]:
            cause = errors.Cause("FieldValueInvalid", f'Invalid value: "{meta["uid"]}": field is immutable', "metadata.uid")
            raise errors.invalid(resource.group, resource.kind, name, [cause, cause])
        meta.pop("managedFields", None)
        for field in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion"):
            if present.get(field) is None:
                meta.pop(field, None)
            else:
                meta[field] = present[field]
        meta.setdefault("name", name)
        if present.get("namespace"):
            meta["namespace"] = present["namespace"]
        return obj

    def _save(self, resource: Resource, old: Stored, obj: Object, owners: tuple[Owned, ...], options: WriteOptions) -> Stored:
        same = obj == old.obj and [one._replace(time="") for one in owners] == [one._replace(time="") for one in old.managed]
        if same or options.dry_run:
            return old if same else Stored(obj, old.revision, owners)
        for part, value in old.obj.items():  # unchanged parts keep their old dict: versions in the ring share memory
            if part != "metadata" and obj.get(part) == value:
                obj[part] = value
        # not written once more: it goes as it last was, and the answer has no new version
        if is_deleting(obj) and deletion.is_finished(resource, obj):
            self.storage.remove(resource.storage, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            return Stored(obj, old.revision, owners)
        return self.storage.put(resource.storage, obj, owners)

    # deleting

    def delete(self, user: User, resource: Resource, namespace: str, name: str, options: DeleteOptions) -> tuple[Stored, bool]:
        """Delete, or begin to: returns the last state and whether the object is gone already.

        Grace of pods, finalizers and propagation follow registry/rest/delete.go and generic/registry/store.go.
        """
        stored = self.get(resource, namespace, name)
        deletion.check_preconditions(resource, stored.obj, options)
        admission.check_delete(self, user, resource, stored.obj)
        plan = deletion.plan(resource, stored.obj, options, self.clock)
        if options.dry_run:
            return (Stored(plan, stored.revision, stored.managed) if plan else stored), plan is None
        if plan is None:
            return self.storage.remove(resource.storage, namespace, name), True
        if plan == stored.obj:
            return stored, False
        return self.storage.put(resource.storage, plan, stored.managed), False

    def finalize(self, user: User, resource: Resource, name: str, body: Object, options: WriteOptions) -> Stored:
        """Replace `spec.finalizers` of a namespace; a deleted one without finalizers goes."""
        finalizers = (body.get("spec") or {}).get("finalizers") or []

        def change(old: Stored) -> tuple[Object, None]:
            wanted = clone(old.obj)
            wanted["metadata"]["resourceVersion"] = (body.get("metadata") or {}).get("resourceVersion", "")
            wanted["spec"] = {**(wanted.get("spec") or {}), "finalizers": finalizers}
            if not finalizers:
                del wanted["spec"]["finalizers"]
            return wanted, None

        return self.change(user, resource, "", name, change, options, "finalize")

    # subresources that act

    def bind(self, user: User, namespace: str, name: str, body: Object, options: WriteOptions) -> None:
        """Bind a pod to a node (pods/binding): sets nodeName and the condition PodScheduled."""
        pods = self.registry.stored("pods")
        node = (body.get("target") or {}).get("name") or ""
        if not node:
            cause = errors.Cause("FieldValueRequired", "Required value", "target.name")
            raise errors.invalid("", "Binding", name, [cause])

        def change(old: Stored) -> tuple[Object, tuple[Owned, ...]]:
            assigned = old.obj["spec"].get("nodeName")
            if is_deleting(old.obj):
                raise errors.conflict("", "pods/binding", name, f"pod {name} is being deleted, cannot be assigned to a host")
            if assigned:
                raise errors.conflict("", "pods/binding", name, f'pod {name} is already assigned to node "{assigned}"')
            wanted = clone(old.obj)
            wanted["spec"]["nodeName"] = node
            wanted["metadata"].setdefault("annotations", {}).update((body.get("metadata") or {}).get("annotations") or {})
            if not wanted["metadata"]["annotations"]:
                del wanted["metadata"]["annotations"]
            strategy.set_condition(
                wanted, {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": self.clock.stamp()}
            )
            return wanted, old.managed

        self.change(user, pods, namespace, name, change, options, "binding")
