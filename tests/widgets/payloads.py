"""Texts that somebody may put into a name, a message or a log line to get more than to be read."""

from __future__ import annotations

ESC = "\x1b"
BEL = "\x07"
ST = ESC + "\\"

_OSC = [
    "52;c;ZXZpbA==",
    "52;p;?",
    "0;title",
    "2;title",
    "7;file:///etc",
    "8;;http://evil/",
    "4;1;?",
    "10;?",
    "11;#ff0000",
    "104",
    "9;note",
    "777;notify;a;b",
    "1337;File=:AA==",
]
_CSI = [
    "2J",
    "H",
    "6n",
    "5n",
    "c",
    ">c",
    "?1049l",
    "?1049h",
    "?25l",
    "?2026h",
    "?2004l",
    "?1000h",
    "31m",
    "8m",
    "1;31;48;5;1m",
    "10A",
    "99B",
    "5C",
    "K",
    "1P",
    "4h",
    "!p",
    "18t",
    "21t",
    "1;1r",
    "s",
    "u",
    "@",
    "L",
    "M",
    "S",
    "T",
    "3J",
    "?7l",
    "0q",
    ">4;2m",
]
_ONE = ["c", "7", "8", "D", "E", "M", "Z", "=", ">", "#8", "(0", ")0", "n", "o", "|", "l", "m"]

ESCAPES: list[str] = (
    [f"a{ESC}]{body}{end}b" for body in _OSC for end in (BEL, ST, "")]
    + [f"a\x9d{body}\x9cb" for body in _OSC]
    + [f"a{lead}{body}b" for body in _CSI for lead in (ESC + "[", "\x9b")]
    + [f"a{ESC}{body}b" for body in _ONE]
    + [f"a{lead}payload{end}b" for lead in (ESC + "P", ESC + "_", ESC + "^", ESC + "X", "\x90", "\x9f", "\x9e", "\x98") for end in (ST, "\x9c", "")]
    + [f"a{chr(code)}b" for code in (*range(0x20), 0x7F, *range(0x80, 0xA0))]
    + ["\r overwritten", "line one\nline two\n", "\x08\x08\x08back", "a" * 500 + ESC + "[2J", ESC, ESC * 50, ESC + "[" + "1;" * 300 + "m"]
)
SPOOFS: list[str] = (
    [f"user{chr(code)}gnp.exe" for code in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))]
    + [f"pro{chr(code)}d" for code in (0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0x2061, 0xFEFF, 0x180E, 0xFFF9, 0xFFFB, 0x2028, 0x2029, 0x115F, 0x3164)]
    + [
        "".join(chr(0xE0000 + ord(c)) for c in "hidden"),
        "x\ufe0f\ufe0e",
        "z" + "\u0301" * 60,
        "\u0301\u0302lead",
        "e" + "\u0489" * 9,
        "nb\u00a0sp\u3000wide",
        "\ue000\uf8ff",
        "\ud800".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    ]
    + ["漢字" * 30, "ｆｕｌｌ", "👩‍👩‍👧‍👦 family", "🏳️‍🌈", "🇩🇪🇫🇷", "ﷺ" * 5, "𒐫𒐫", "а‌pple", "\u2800" * 8]
)
MARKUP: list[str] = [
    "[red]x[/red]",
    "[/]",
    "[/red]",
    "[@click=app.boom]harmless[/]",
    "[@click=app.boom('x')]harmless",
    "[link=http://evil]x[/link]",
    "[b",
    "[",
    "]",
    "[[",
    "\\[b]",
    "[a=b…]",
    "[true, false]",
    "[ERR] bad",
    "[$primary]x",
    "[bold #ff0000 on blue]",
    ":smile:",
    "[0:10]",
    "[on red]  ",
    "%s {0} {name} ${x}",
]
ALL: list[str] = ESCAPES + SPOOFS + MARKUP
