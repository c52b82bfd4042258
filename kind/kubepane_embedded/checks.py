"""The parts that validations are made of: causes in the server's words, forms of names, labels, ports."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import msgspec

from kubepane_embedded.errors import Cause
from kubepane_embedded.quantity import parse

Causes: TypeAlias = list[Cause]
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
PORT_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric "
    "character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
LABEL_1035_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an "
    "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
QUALIFIED_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
KEY_RULE = (
    "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an "
    "optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
)
VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
CONFIG_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex "
    "used for validation is '[-._a-zA-Z0-9]+')"
)


def shown(value: Any) -> str:
    """A value as field errors print it: strings quoted, objects as JSON."""
    if value is None:
        return "null"
    return msgspec.json.encode(value).decode()


def required(field: str, why: str = "") -> Cause:
    """The field is missing."""
    return Cause("FieldValueRequired", f"Required value: {why}" if why else "Required value", field)


def invalid_value(field: str, value: Any, why: str) -> Cause:
    """The value is wrong."""
    return Cause("FieldValueInvalid", f"Invalid value: {shown(value)}: {why}", field)


def duplicate(field: str, value: Any) -> Cause:
    """The value is there twice."""
    return Cause("FieldValueDuplicate", f"Duplicate value: {shown(value)}", field)


def unsupported(field: str, value: Any, allowed: list[str]) -> Cause:
    """The value is none of those allowed, which are listed in the given order."""
    listed = ", ".join(f'"{one}"' for one in allowed)
    return Cause("FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {listed}", field)


def forbidden_field(field: str, why: str) -> Cause:
    """The field may not be set (or not be changed)."""
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def immutable(field: str, value: Any) -> Cause:
    """The field was changed and may not be."""
    return invalid_value(field, value, "field is immutable")


def too_long(field: str, limit: int) -> Cause:
    """More than so many bytes."""
    return Cause("FieldValueTooLong", f"Too long: may not be more than {limit} bytes", field)


def check_name(name: Any, field: str, form: str = "subdomain") -> Causes:
    """A name: `subdomain`, `label`, `label1035` (Services' ports aside) or `path` (RBAC)."""
    if not isinstance(name, str):
        return [invalid_value(field, name, "must be a string")]
    if form == "path":
        return _path_name(name, field)
    pattern, rule, limit = {
        "subdomain": (SUBDOMAIN, SUBDOMAIN_RULE, 253),
        "label": (LABEL, LABEL_RULE, 63),
        "label1035": (LABEL_1035, LABEL_1035_RULE, 63),
    }[form]
    causes = [invalid_value(field, name, f"must be no more than {limit} bytes")] if len(name) > limit else []
    return causes if pattern.fullmatch(name) else [*causes, invalid_value(field, name, rule)]


def _path_name(name: str, field: str) -> Causes:
    if name in (".", ".."):
        return [invalid_value(field, name, f"may not be '{name}'")]
    return [invalid_value(field, name, f"may not contain '{bad}'") for bad in ("/", "%") if bad in name]


def check_qualified(key: str, field: str) -> Causes:
    """A label or annotation key: optional DNS prefix, slash, name."""
    prefix, slash, name = key.rpartition("/")
    causes: Causes = []
    if "/" in prefix:
        return [invalid_value(field, key, KEY_RULE)]
    if slash and not prefix:
        causes.append(invalid_value(field, key, "prefix part must be non-empty"))
    elif slash and not SUBDOMAIN.fullmatch(prefix):
        causes.append(invalid_value(field, key, f"prefix part {SUBDOMAIN_RULE}"))
    if not name:
        causes.append(invalid_value(field, key, "name part must be non-empty"))
    elif len(name) > 63:
        causes.append(invalid_value(field, key, "name part must be no more than 63 bytes"))
    if not QUALIFIED.fullmatch(name):
        causes.append(invalid_value(field, key, QUALIFIED_RULE))
    return causes


def check_labels(labels: dict[str, Any] | None, field: str) -> Causes:
    """Keys and values of labels."""
    causes: Causes = []
    for key, value in (labels or {}).items():
        causes += check_qualified(key, field)
        text = "" if value is None else str(value)
        if len(text) > 63:
            causes.append(invalid_value(field, text, "must be no more than 63 bytes"))
        if not VALUE.fullmatch(text):
            causes.append(invalid_value(field, text, VALUE_RULE))
    return causes


def check_subdomain_keys(annotations: dict[str, Any] | None, field: str) -> Causes:
    """Keys of annotations (checked in lower case)."""
    causes: Causes = []
    for key in annotations or {}:
        causes += check_qualified(key.lower(), field)
    return causes


def check_selector(selector: dict[str, Any] | None, field: str) -> Causes:
    """A LabelSelector."""
    causes: Causes = []
    for key, value in ((selector or {}).get("matchLabels") or {}).items():
        causes += check_qualified(key, f"{field}.matchLabels")
        if not VALUE.fullmatch(str(value)):
            causes.append(invalid_value(f"{field}.matchLabels", value, VALUE_RULE))
    for index, term in enumerate((selector or {}).get("matchExpressions") or []):
        causes += _check_term(term, f"{field}.matchExpressions[{index}]")
    return causes


def _check_term(term: dict[str, Any], path: str) -> Causes:
    operator, values = term.get("operator"), term.get("values") or []
    causes = check_qualified(term.get("key") or "", f"{path}.key")
    if operator in ("In", "NotIn") and not values:
        causes.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist") and values:
        causes.append(forbidden_field(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
    elif operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        causes.append(invalid_value(f"{path}.operator", operator or "", "not a valid selector operator"))
    return causes


def check_port(port: Any, field: str) -> Causes:
    """A port number 1–65535."""
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        return [invalid_value(field, port or 0, "must be between 1 and 65535, inclusive")]
    return []


def check_port_name(name: str, field: str) -> Causes:
    """An IANA service name (validation.IsValidPortName)."""
    causes: Causes = []
    if len(name) > 15:
        causes.append(invalid_value(field, name, "must be no more than 15 characters"))
    if not re.fullmatch(r"[-a-z0-9]+", name):
        causes.append(invalid_value(field, name, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"))
    if not re.search(r"[a-z]", name):
        causes.append(invalid_value(field, name, "must contain at least one letter (a-z)"))
    if "--" in name:
        causes.append(invalid_value(field, name, "must not contain consecutive hyphens"))
    if name.startswith("-") or name.endswith("-"):
        causes.append(invalid_value(field, name, "must not begin or end with a hyphen"))
    return causes


def check_not_negative(value: Any, field: str) -> Causes:
    """A number that may not be below zero."""
    if isinstance(value, int) and value < 0:
        return [invalid_value(field, value, "must be greater than or equal to 0")]
    return []


def amount(value: Any) -> Any:
    """A quantity's exact value, 0 when absent."""
    return parse(str(value)) if value is not None else parse("0")
