"""Requests to resources: from path, query and body to a verb of the API, and back to an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kubepane_embedded import errors
from kubepane_embedded.apply import applied, created_owner
from kubepane_embedded.body import Duplicates, WrongType, check_fields, check_kind, clean_object, parse_json, parse_yaml, read_object, unknown_fields
from kubepane_embedded.conversion import to_storage
from kubepane_embedded.core import Core
from kubepane_embedded.deletion import JOB_WARNING
from kubepane_embedded.eviction import evict
from kubepane_embedded.listing import Page, list_page, read_options
from kubepane_embedded.meta import Object
from kubepane_embedded.naming import check_name
from kubepane_embedded.ownership import Owned
from kubepane_embedded.patches import PatchType, patch_value, patched
from kubepane_embedded.protobuf import decode
from kubepane_embedded.rbac import Attributes, Authorizer, access_review, rules_review
from kubepane_embedded.registry import Resource
from kubepane_embedded.requestinfo import RequestInfo
from kubepane_embedded.requests import DeleteOptions, User, WriteOptions
from kubepane_embedded.scale import read_scale, write_scale
from kubepane_embedded.storage import Stored
from kubepane_embedded.strategic import go_map
from kubepane_embedded.typedcheck import check_typed
from kubepane_embedded.views import ENCODER, View, list_json, object_json
from kubepane_embedded.zeroes import tidied

RETURNS_OBJECT = frozenset({"pods", "services", "serviceaccounts", "persistentvolumes", "persistentvolumeclaims", "resourcequotas"})
ENDPOINTS_WARNING = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
RBAC = ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
MADE_BY_UPDATE = frozenset(
    {"services", "endpoints", "events", "limitranges", "leases.coordination.k8s.io", *(f"{name}.rbac.authorization.k8s.io" for name in RBAC)}
)
"""What a PUT creates when it is not there (AllowCreateOnUpdate of the strategies)."""
CONDITIONAL = frozenset({"leases.coordination.k8s.io", "poddisruptionbudgets.policy"})
"""What a PUT without a resourceVersion may not replace (no AllowUnconditionalUpdate)."""
TOO_LARGE_WAIT = 3.0
"""Seconds that a LIST waits for a revision of the future before it gives up."""


@dataclass(slots=True)
class Call:
    """One request to a resource, read: everything the verbs need, nothing of HTTP."""

    info: RequestInfo
    resource: Resource
    user: User
    query: Mapping[str, str]
    accept: str = ""
    media: str = ""
    body: bytes = b""
    agent: str = ""
    options: WriteOptions = field(default_factory=WriteOptions)


@dataclass(slots=True)
class Answer:
    """What goes back: JSON chunks, a status, warnings."""

    chunks: Iterable[bytes]
    code: int = 200
    warnings: list[str] = field(default_factory=list)
    content_type: str = "application/json"


def json_answer(value: Any, code: int = 200, warnings: list[str] | None = None) -> Answer:
    """An answer of plain data."""
    return Answer([ENCODER.encode(value), b"\n"], code, warnings or [])


def success(code: int = 200, details: dict[str, Any] | None = None) -> Object:
    """A Status that says it went well."""
    status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details is not None:
        status["details"] = details
    if code != 200:
        status["code"] = code
    return status


def deprecated(call: Call) -> list[str]:
    """The warning of a resource that should not be used any more."""
    return [ENDPOINTS_WARNING] if call.resource.storage == "endpoints" else []


class ResourceHandlers:
    """The verbs of stored resources over HTTP."""

    def __init__(self, core: Core, authorizer: Authorizer) -> None:
        self.core = core
        self.api = core.api
        self.storage = core.storage
        self.authorizer = authorizer

    # reading

    async def collection(self, call: Call, view: View) -> Answer:
        """GET of a collection."""
        options = read_options(call.query, call.resource, False)
        if options.revision and options.revision > self.storage.revision and call.resource.cached:
            await self._reach(options.revision)
        page = list_page(self.storage, call.resource, call.info.namespace, options)
        return Answer(list_json(view, page, self.core.clock.now()), 200, deprecated(call))

    async def _reach(self, revision: int) -> None:
        """Wait a little for a revision of the future."""
        for _ in range(int(TOO_LARGE_WAIT / 0.05)):
            if self.storage.revision >= revision:
                return
            await asyncio.sleep(0.05)

    def get(self, call: Call, view: View) -> Answer:
        """GET of one object, its status or its scale."""
        info = call.info
        if info.subresource == "scale":
            return json_answer(read_scale(self.api, self._stored(call), info.namespace, info.name))
        asked = call.query.get("resourceVersion", "")
        if asked.isdigit() and int(asked) > self.storage.revision:
            raise errors.too_large_version(int(asked), self.storage.revision, 1 if call.resource.cached else None)
        return self._object(call, view, self.api.get(call.resource, info.namespace, info.name))

    def _object(self, call: Call, view: View, stored: Stored, code: int = 200) -> Answer:
        body = object_json(view, stored, self.core.clock.now())
        return Answer([body, b"\n"], code, [*call.options.warnings, *deprecated(call)])

    def _stored(self, call: Call) -> Resource:
        """The resource in its stored version."""
        return self.core.registry.stored(call.resource.storage)

    # writing

    def create(self, call: Call, view: View) -> Answer:
        """POST to a collection."""
        obj = self.body_of(call, call.resource.api_version, call.resource.kind)
        obj = to_storage(call.resource, tidied(obj, call.resource))
        stored = self.api.create(call.user, self._stored(call), call.info.namespace, obj, call.options)
        return self._object(call, view, stored, 201)

    def body_of(self, call: Call, api_version: str, kind: str) -> Object:
        """The body as an object of that kind."""
        resource = call.resource
        if (api_version, kind) != (resource.api_version, resource.kind):
            group, _, version = api_version.rpartition("/")
            resource = Resource(group, version, "", "", kind)
        obj = read_object(call.body, call.media, resource, call.options, lambda data: decode(data, api_version, kind))
        if not isinstance(obj.get("metadata") or {}, dict):
            raise errors.bad_request("metadata must be an object")
        obj["metadata"] = obj.get("metadata") or {}
        return obj

    def update(self, call: Call, view: View) -> Answer:
        """PUT of an object, its status, its scale, or a namespace's finalizers."""
        info, stored = call.info, self._stored(call)
        if info.subresource == "scale":
            body = self.body_of(call, "autoscaling/v1", "Scale")
            return json_answer(write_scale(self.api, call.user, stored, info.namespace, info.name, lambda _: body, call.options))
        obj = to_storage(call.resource, tidied(self.body_of(call, call.resource.api_version, call.resource.kind), call.resource))
        if info.subresource == "finalize":
            return self._object(call, view, self.api.finalize(call.user, stored, info.name, obj, call.options))
        check_name(obj, info.name)
        present = self.storage.stored(stored.storage, info.namespace, info.name)
        if present is None and not info.subresource and stored.storage in MADE_BY_UPDATE:
            self.authorize_create(call)
            obj["metadata"].pop("resourceVersion", None)
            return self._object(call, view, self.api.create(call.user, stored, info.namespace, obj, call.options), 201)
        if present is not None and stored.storage in CONDITIONAL and not obj["metadata"].get("resourceVersion"):
            cause = errors.Cause("FieldValueInvalid", "Invalid value: 0: must be specified for an update", "metadata.resourceVersion")
            raise errors.invalid(stored.group, stored.plural, info.name, [cause])
        result = self.api.update(call.user, stored, info.namespace, info.name, obj, call.options, info.subresource)
        return self._object(call, view, result)

    def patch(self, call: Call, view: View) -> Answer:
        """PATCH with one of the four types."""
        kinds = {kind.value: kind for kind in PatchType} | {"application/apply-patch+cbor": None}
        kind = kinds.get(call.media)
        if kind is None:
            raise errors.ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
        patch = _read_patch(call.body, kind)
        info, stored = call.info, self._stored(call)
        if kind is PatchType.APPLY:
            return self._apply(call, view, patch)
        if call.options.force:
            cause = errors.Cause("FieldValueForbidden", "Forbidden: may not be specified for non-apply patch", "force")
            raise errors.invalid("meta.k8s.io", "PatchOptions", "", [cause])
        if info.subresource == "scale":
            scale = Resource("autoscaling", "v1", "", "", "Scale")

            def wanted(present: Object) -> Object:
                return check_fields(patch_value(present, patch, kind, scale), "autoscaling/v1", "Scale", call.options, Duplicates())

            return json_answer(write_scale(self.api, call.user, stored, info.namespace, info.name, wanted, call.options))
        change = patched(call.resource, patch, kind)

        def checked(old: Stored) -> tuple[Object, tuple[Owned, ...] | None]:
            obj, owners = change(old)
            return to_storage(call.resource, tidied(_strict(call, obj, patch, kind), call.resource)), owners

        result = self.api.change(call.user, stored, info.namespace, info.name, checked, call.options, info.subresource)
        return self._object(call, view, result)

    def _apply(self, call: Call, view: View, config: Any) -> Answer:
        """Server-side apply: creates or changes."""
        info, resource, options = call.info, call.resource, call.options
        if not call.query.get("fieldManager"):
            cause = errors.Cause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")
            raise errors.invalid("meta.k8s.io", "PatchOptions", "", [cause])
        if not isinstance(config, dict):
            raise errors.bad_request("error decoding YAML: json: cannot unmarshal into Go value of type map[string]interface {}")
        config = self._configuration(call, config)
        stored, time = self._stored(call), self.core.clock.stamp()
        present = self.storage.stored(resource.storage, info.namespace, info.name)
        if present is None:
            if info.subresource:
                raise errors.not_found(resource.group, resource.plural, info.name)
            if uid := config["metadata"].get("uid"):
                cause = errors.Cause("FieldValueInvalid", f'Invalid value: "{uid}": field is immutable', "metadata.uid")
                raise errors.invalid(resource.group, resource.kind, info.name, [cause, cause])
            config["metadata"].pop("resourceVersion", None)  # it refuses a change of what is there; what is not there is created
            self.authorize_create(call)
            owners = created_owner(stored, config, options, time)
            return self._object(call, view, self.api.create(call.user, stored, info.namespace, tidied(config, stored), options, owners), 201)
        merge = applied(stored, config, options, time, info.subresource)

        def change(old: Stored) -> tuple[Object, tuple[Owned, ...]]:
            merged, owners = merge(old)
            return tidied(merged, stored), owners

        return self._object(call, view, self.api.change(call.user, stored, info.namespace, info.name, change, options, info.subresource))

    def authorize_create(self, call: Call) -> None:
        """An apply that creates needs the verb create too."""
        info = call.info
        self.authorizer.check(call.user, Attributes("create", info.group, info.plural, "", info.namespace, info.name))

    def _configuration(self, call: Call, config: Object) -> Object:
        resource, info = call.resource, call.info
        for name in ("apiVersion", "kind"):
            if not config.get(name):
                raise errors.bad_request(f"invalid object type: /, Kind={config.get('kind') or ''}")
        check_kind(config, resource.api_version, resource.kind)
        meta = config.get("metadata")
        if isinstance(meta, dict) and meta.get("managedFields"):
            raise errors.bad_request("metadata.managedFields must be nil")
        check_typed(config, resource)
        cleaned, _ = unknown_fields(config, resource.api_version, resource.kind)
        meta = cleaned["metadata"] = dict(cleaned.get("metadata") or {})
        if meta.setdefault("name", info.name) != info.name:
            raise errors.bad_request(f"the name of the object ({meta['name']}) does not match the name on the URL ({info.name})")
        if resource.namespaced and meta.setdefault("namespace", info.namespace) != info.namespace:
            raise errors.bad_request("the namespace of the provided object does not match the namespace sent on the request")
        return to_storage(resource, cleaned)

    # deleting

    def delete(self, call: Call, view: View) -> Answer:
        """DELETE of one object: the object when it stays or its kind is shown, else a Status."""
        options = self.delete_options(call)
        stored, gone = self.api.delete(call.user, self._stored(call), call.info.namespace, call.info.name, options)
        if gone and call.resource.storage not in RETURNS_OBJECT:
            meta = stored.obj["metadata"]
            named = errors.details(meta["name"], call.resource.group, call.resource.plural, uid=meta["uid"])
            return json_answer(success(200, named), 200, [*call.options.warnings, *deprecated(call)])
        return self._object(call, view, stored)

    def delete_collection(self, call: Call, view: View) -> Answer:
        """DELETE of everything that the selectors pick."""
        options = self.delete_options(call)
        page = list_page(self.storage, call.resource, call.info.namespace, read_options(call.query, call.resource, False))
        for stored in list(page.rows):
            meta = stored.obj["metadata"]
            try:
                self.api.delete(call.user, self._stored(call), meta.get("namespace", ""), meta["name"], options)
            except errors.ApiError as refusal:
                if refusal.code != 404:
                    raise
        body = list_json(view, Page(page.rows, self.storage.revision), self.core.clock.now())
        return Answer(body, 200, [*call.options.warnings, *deprecated(call)])

    def delete_options(self, call: Call) -> DeleteOptions:
        """DeleteOptions from the body; from the query only where there is none, as in apiserver pkg/endpoints/handlers/delete.go."""
        body: Object = {}
        query, dry = call.query, call.options.dry_run
        if call.body.strip():
            query, dry = {}, False
            resource = Resource("", "v1", "", "", "DeleteOptions")
            media = call.media or "application/json"
            body = read_object(call.body, media, resource, WriteOptions(validation="Ignore"), lambda data: decode(data, "v1", "DeleteOptions"))
        grace: Any = body.get("gracePeriodSeconds")
        if query.get("gracePeriodSeconds"):
            try:
                grace = int(query["gracePeriodSeconds"])
            except ValueError:
                raise errors.bad_request(f'strconv.ParseInt: parsing "{query["gracePeriodSeconds"]}": invalid syntax') from None
        propagation = body.get("propagationPolicy") or query.get("propagationPolicy") or None
        orphan = body.get("orphanDependents")
        if propagation is None and orphan is not None:
            propagation = "Orphan" if orphan else "Background"
        wishes = body.get("dryRun") or []
        if causes := [*_propagation_causes(propagation), *_dry_run_causes(wishes)]:
            raise errors.invalid("meta.k8s.io", "DeleteOptions", "", causes)
        if propagation is None and call.resource.storage == "jobs.batch":
            call.options.warnings.append(JOB_WARNING)
        guards = body.get("preconditions") or {}
        dry = dry or bool(wishes)
        return DeleteOptions(grace, propagation, guards.get("uid"), guards.get("resourceVersion"), dry)

    # subresources and reviews that are POSTed

    def evict(self, call: Call) -> Answer:
        """POST pods/eviction."""
        body = self.body_of(call, "policy/v1", "Eviction")
        options = DeleteOptions()
        given = body.get("deleteOptions") or {}
        guards = given.get("preconditions") or {}
        options.grace, options.uid, options.revision = given.get("gracePeriodSeconds"), guards.get("uid"), guards.get("resourceVersion")
        options.dry_run = call.options.dry_run or _dry_run(given.get("dryRun") or [], "DeleteOptions")
        evict(self.api, call.user, call.info.namespace, call.info.name, options)
        return json_answer(success(201), 201)

    def bind(self, call: Call) -> Answer:
        """POST pods/binding."""
        body = self.body_of(call, "v1", "Binding")
        self.api.bind(call.user, call.info.namespace, call.info.name, body, call.options)
        return json_answer(success(201), 201)

    def review(self, call: Call) -> Answer:
        """POST of a review: asks, stores nothing."""
        kind = call.resource.kind
        body = self.body_of(call, call.resource.api_version, kind)
        user = call.user
        if kind == "SelfSubjectRulesReview":
            return json_answer(rules_review(self.authorizer, user, body), 201)
        if kind == "SelfSubjectReview":
            info = {"username": user.name, "groups": list(user.groups)} | ({"uid": user.uid} if user.uid else {})
            return json_answer({**body, "metadata": {"creationTimestamp": self.core.clock.stamp()}, "status": {"userInfo": info}}, 201)
        if kind != "SelfSubjectAccessReview":
            spec = body.get("spec") or {}
            user = User(spec.get("user") or "", tuple(spec.get("groups") or ()))
        return json_answer(access_review(self.authorizer, user, body), 201)


def write_options(query: Mapping[str, str], agent: str, kind: str) -> WriteOptions:
    """WriteOptions from the query; `kind` is the options' name in messages."""
    validation = query.get("fieldValidation") or "Warn"
    if validation not in ("Ignore", "Warn", "Strict"):
        why = f'Unsupported value: "{validation}": supported values: "", "Ignore", "Warn", "Strict"'
        raise errors.invalid("meta.k8s.io", kind, "", [errors.Cause("FieldValueNotSupported", why, "fieldValidation")])
    manager = query.get("fieldManager") or agent.partition("/")[0][:128] or "unknown"
    if len(manager) > 128 or not manager.isprintable():
        why = "may not be more than 128 bytes" if len(manager) > 128 else "should only contain printable characters"
        rule = f'Invalid value: "{manager}": {why}'
        raise errors.invalid("meta.k8s.io", kind, "", [errors.Cause("FieldValueInvalid", rule, "fieldManager")])
    dry = _dry_run([query["dryRun"]] if query.get("dryRun") else [], kind)
    force = "force" in query and query["force"] not in ("false", "0", "False", "no-apply") and kind == "PatchOptions"
    return WriteOptions(manager, dry, validation, force)


def _dry_run(values: Any, kind: str) -> bool:
    if causes := _dry_run_causes(values):
        raise errors.invalid("meta.k8s.io", kind, "", causes)
    return bool(values)


def _dry_run_causes(values: Any) -> list[errors.Cause]:
    if not values or values == ["All"]:
        return []
    shown = ",".join(f'"{value}"' for value in values) if isinstance(values, list) else str(values)
    return [errors.Cause("FieldValueNotSupported", f'Unsupported value: [{shown}]: supported values: "All"', "dryRun")]


def _propagation_causes(propagation: Any) -> list[errors.Cause]:
    if propagation in (None, "Background", "Foreground", "Orphan"):
        return []
    why = f'Unsupported value: "{propagation}": supported values: "Foreground", "Background", "Orphan", "nil"'
    return [errors.Cause("FieldValueNotSupported", why, "propagationPolicy")]


def _read_patch(body: bytes, kind: PatchType) -> Any:
    try:
        return parse_yaml(body) if kind is PatchType.APPLY else parse_json(body)
    except ValueError as wrong:
        text = "error decoding YAML" if kind is PatchType.APPLY else "error decoding patch"
        raise errors.bad_request(f"{text}: {wrong}") from None


def _strict(call: Call, obj: Object, patch: Any, kind: PatchType) -> Object:
    """The patched object without unknown fields; they are refused, or warned of."""
    resource = call.resource
    if obj.get("apiVersion") != resource.api_version:
        scheme = 'in scheme "pkg/runtime/scheme.go:111"'
        version = obj.get("apiVersion") or ""
        raise _invalid_patch(obj, patch, kind, f'no kind "{obj.get("kind") or ""}" is registered for version "{version}" {scheme}')
    if obj.get("kind") != resource.kind:
        package = resource.group.partition(".")[0] or "core"
        why = f"converting ({resource.version}.{obj.get('kind')}) to ({package}.{resource.kind}): unknown conversion"
        raise _invalid_patch(obj, patch, kind, why)
    try:
        cleaned, unknown = clean_object(obj, resource.api_version, resource.kind)
    except WrongType as wrong:
        raise _invalid_patch(obj, patch, kind, str(wrong)) from None
    if unknown and call.options.validation == "Strict":
        faults = ", ".join(f'unknown field "{path}"' for path in unknown)
        raise _invalid_patch(obj, patch, kind, f"strict decoding error: {faults}")
    if call.options.validation == "Warn":
        call.options.warnings += [f'unknown field "{path}"' for path in unknown]
    return cleaned


def _invalid_patch(obj: Object, patch: Any, kind: PatchType, why: str) -> errors.ApiError:
    """422 for a patch whose result cannot be decoded; quotes the patch, or for JSON the whole object, as upstream does."""
    shown = go_map(patch) if kind is PatchType.STRATEGIC else ENCODER.encode(obj).decode()
    quoted = ENCODER.encode(shown).decode()
    cause = errors.Cause("FieldValueInvalid", f"Invalid value: {quoted}: {why}", "patch")
    return errors.ApiError(422, "Invalid", f' "" is invalid: patch: {cause.message}', {"causes": [cause.as_dict()]})
