"""Takes secrets out of every text that may be shown or logged: errors, plugin output, answers of strangers."""

from __future__ import annotations

import re

MASK = "***"
_REMEMBERED_MAX = 64  # newest secrets kept; a token lives minutes, so old ones are worthless
_SHORTEST = 6  # a shorter secret would mask ordinary words

_remembered: dict[str, None] = {}

_ALWAYS = (
    r"(?:[\w-]*(?:password|passwd|passphrase|client[-_]?secret|secret[-_]?(?:access[-_]?)?key|private[-_]?key|api[-_]?key)"
    r"|client-?key-?data|client-?certificate-?data)"
)
_WHEN_ODD = r"[\w-]*token"
_QUOTED_OR_WORD = r"(?:\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|[^\s,;&\"'}]+)"
_SEPARATOR = r"[\"']?\s*[:=]\s*"

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL), MASK),
    (re.compile(r"(?i)((?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)(?:(bearer|basic|negotiate|digest)\s+)?[^\s\"',}]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b(bearer\s+)(?!token\b)[\w.~+/=-]{6,}"), rf"\1{MASK}"),
    (re.compile(r"\beyJ[\w-]{4,}\.[\w-]{4,}(?:\.[\w-]*)?"), MASK),
    (re.compile(r"([a-zA-Z][\w+.-]*://)[^/\s@\"']+@"), rf"\1{MASK}@"),
    # the address of a simulated cluster is its key: whoever knows the path is its admin
    (re.compile(r"(https?://(?:127\.0\.0\.1|localhost)(?::\d+)?/c/)[\w-]{16,}"), rf"\1{MASK}"),
    (re.compile(rf"(?i)(\b{_ALWAYS}{_SEPARATOR}){_QUOTED_OR_WORD}"), rf"\1{MASK}"),
    (re.compile(r"(?i)(--[\w-]*(?:token|password|secret)[= ])\S+"), rf"\1{MASK}"),
    # "token: expired" is prose, "token: 8f3k…" is not: a value is a secret when it holds a digit or is long.
    (re.compile(rf"(?i)(\b{_WHEN_ODD}(?:=|{_SEPARATOR}))(?=\S*\d|\S{{20,}}){_QUOTED_OR_WORD}"), rf"\1{MASK}"),
)


def redact(text: str) -> str:
    """The text without Authorization values, bearer tokens, JWTs, PEM blocks, passwords, URL user info and remembered secrets."""
    for secret in _remembered:
        if secret in text:
            text = text.replace(secret, MASK)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def remember(secret: str) -> None:
    """Masks this very text from now on, whatever stands around it. Call it with every token, password and key that is loaded."""
    for line in secret.splitlines():
        line = line.strip()
        if len(line) >= _SHORTEST and not line.startswith("-----"):
            _remembered.pop(line, None)
            _remembered[line] = None
    while len(_remembered) > _REMEMBERED_MAX:
        del _remembered[next(iter(_remembered))]


def one_line(text: str, limit: int = 300) -> str:
    """The text redacted, on one line, without control characters, cut to `limit` characters: fit for an error message."""
    text = redact(text)
    text = " ".join("".join(ch if ch.isprintable() else " " for ch in text).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
