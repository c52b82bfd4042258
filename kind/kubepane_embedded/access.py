"""Who is asking: the owner of the path, a ServiceAccount's token, or somebody impersonated."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from datetime import timedelta
from typing import Any

from multidict import CIMultiDictProxy

from kubepane_embedded import errors
from kubepane_embedded.clock import Clock, stamp
from kubepane_embedded.meta import Object
from kubepane_embedded.rbac import Attributes, Authorizer
from kubepane_embedded.requests import ADMIN, User, service_account
from kubepane_embedded.storage import Storage

EXPIRY = 3600


class Authenticator:
    """Turns the headers of a request into a user.

    The unguessable path is the admin's credential: a request without a token is the admin's. ServiceAccount tokens are signed with a key
    that lives as long as the process.
    """

    def __init__(self, storage: Storage, authorizer: Authorizer, clock: Clock) -> None:
        self._storage = storage
        self._authorizer = authorizer
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def user(self, headers: CIMultiDictProxy[str]) -> User:
        """The caller, after impersonation; Unauthorized for a token that is none, Forbidden where impersonation is not allowed."""
        caller = self._bearer(headers.get("Authorization", ""))
        wanted, groups = headers.get("Impersonate-User", ""), headers.getall("Impersonate-Group", [])
        uid = headers.get("Impersonate-Uid", "")
        if not wanted:
            if groups or uid:
                shown = " ".join(f"{{Group  {group}    }}" for group in groups) or f"{{UID  {uid}    }}"
                raise errors.bad_request(f"requested [{shown}] without impersonating a user")
            return caller
        return self._impersonated(caller, wanted, groups, uid)

    def _impersonated(self, caller: User, wanted: str, groups: list[str], uid: str) -> User:
        prefix = "system:serviceaccount:"
        if wanted.startswith(prefix) and wanted.count(":") == 3:
            _, _, namespace, name = wanted.split(":")
            self._authorizer.check(caller, Attributes("impersonate", "", "serviceaccounts", "", namespace, name))
            if not groups:
                return service_account(namespace, name, uid)
        else:
            self._authorizer.check(caller, Attributes("impersonate", "", "users", "", "", wanted))
        for group in groups:
            self._authorizer.check(caller, Attributes("impersonate", "", "groups", "", "", group))
        extra = ("system:authenticated",) if wanted != "system:anonymous" and "system:authenticated" not in groups else ()
        return User(wanted, (*groups, *extra), uid)

    def _bearer(self, header: str) -> User:
        kind, _, token = header.partition(" ")
        if not header or kind.lower() != "bearer":
            return ADMIN
        claims = self._claims(token.strip())
        if claims is None:
            raise errors.ApiError(401, "Unauthorized", "Unauthorized")
        about = claims["kubernetes.io"]
        namespace, account = about["namespace"], about["serviceaccount"]
        stored = self._storage.read("serviceaccounts", namespace, account["name"])
        if stored is None or stored["metadata"]["uid"] != account["uid"] or claims["exp"] < self._clock.now().timestamp():
            raise errors.ApiError(401, "Unauthorized", "Unauthorized")
        return service_account(namespace, account["name"], account["uid"])

    def _claims(self, token: str) -> dict[str, Any] | None:
        body, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(body).encode()):
            return None
        try:
            claims: dict[str, Any] = json.loads(_unpadded(body.partition(".")[2]))
        except (ValueError, binascii.Error):
            return None
        return claims

    def _sign(self, body: str) -> str:
        return _padless(hmac.new(self._key, body.encode(), hashlib.sha256).digest())

    def token(self, account: Object, request: Object) -> Object:
        """serviceaccounts/token: a TokenRequest with its status."""
        meta = account["metadata"]
        spec = request.get("spec") or {}
        lifetime = spec.get("expirationSeconds") or EXPIRY
        if lifetime < 600:
            cause = errors.Cause(
                "FieldValueInvalid", f"Invalid value: {lifetime}: may not specify a duration less than 10 minutes", "spec.expirationSeconds"
            )
            raise errors.invalid("authentication.k8s.io", "TokenRequest", "", [cause])
        now = self._clock.now().timestamp()
        about = {"namespace": meta["namespace"], "serviceaccount": {"name": meta["name"], "uid": meta["uid"]}}
        subject = f"system:serviceaccount:{meta['namespace']}:{meta['name']}"
        audiences = spec.get("audiences") or ["https://kubernetes.default.svc.cluster.local"]
        claims = {"aud": audiences, "iat": int(now), "exp": int(now + lifetime), "kubernetes.io": about, "sub": subject}
        head = _padless(json.dumps({"alg": "HS256", "kid": "embedded"}).encode())
        body = f"{head}.{_padless(json.dumps(claims).encode())}"
        expires = stamp(self._clock.now() + timedelta(seconds=lifetime))
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": meta["name"], "namespace": meta["namespace"], "creationTimestamp": self._clock.stamp()},
            "spec": {"audiences": audiences, "expirationSeconds": lifetime, "boundObjectRef": spec.get("boundObjectRef")},
            "status": {"token": f"{body}.{self._sign(body)}", "expirationTimestamp": expires},
        }


def _padless(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
