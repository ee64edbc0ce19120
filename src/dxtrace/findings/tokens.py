"""The words of a sentence with their offsets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape

_APOSTROPHE = "(?:â€™|[´`?’'ʼ＇\ufffd])"

# Words begin with a letter and may hold digits ("hba1c"); a number never carries its unit ("10mm"
# is two tokens).
_TOKEN = re.compile(
    r"&(?:[a-zA-Z]{2,8}|#\d{1,6});"  # a character as HTML writes it
    r"|\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)"  # 12,000
    r"|\d{1,3}(?:['’\u00a0\u2009\u202f]\d{3})+(?!\d)"  # 12'000
    r"|\d{1,3}(?: \d{3})+(?= ?(?:[pnµμmk]?g|[mnpµμ]?mol|cells|[mkµμ]?i?u)? ?/ ?(?:[dmµμ]?l|mm))"  # 12 000 /µl
    r"|\d+(?:[.,·]\d+)?(?!\d)"  # 7.2, and 7,2 as much of the world writes it
    r"|\d+"
    # A vital sign and its value: "T98.2 BP164/98 HR88".
    r"|\b(?:t(?=(?:9\d|10\d|3[4-9]|4[01])(?:\.\d)?\b)|bp(?=\d{2,3}/\d)|(?:hr|rr|spo2|sao2|o2sat|sats?)(?=\d{2,3}\b)"
    r"|p(?!53)(?=(?:[5-9]\d|1\d\d)\b))"
    # "didn't", also with an apostrophe that a wrong encoding has mangled.
    rf"|[^\W\d_]+n{_APOSTROPHE}t\b"
    "|[^\\W\\d_](?:[\\w\u00ad\u200b]|['’](?=[^\\W\\d_]))*"
    r"|\S",
    re.IGNORECASE,
)
_NOT = re.compile(rf"n{_APOSTROPHE}t\Z")
_PLAIN = str.maketrans("áàâäãéèêëíìîïóòôöúùûüçñ’", "aaaaaeeeeiiiioooouuuucn'", "\u00ad\u200b")


@dataclass(frozen=True)
class Token:
    """One word, number or mark: lower case, with half-open offsets into the text."""

    text: str
    start: int
    end: int


def tokenise(text: str, offset: int = 0) -> list[Token]:
    """Return the tokens of a text; hyphens and slashes between letters are dropped ("x-ray" is two
    words).

    Args:
        text: any text.
        offset: added to every start and end.
    """
    tokens = []
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        joins_words = match[0] in "-/‐‑" and _joins(text, start - 1, end, match[0])
        if not joins_words:
            word = _NOT.sub("n't", match[0].lower()).translate(_PLAIN)
            if word.startswith("&") and len(word) > 1:
                word = unescape(word).strip()
            # A character that takes no room, alone, is no word.
            if word:
                tokens.append(Token(word, start + offset, end + offset))
    return tokens


_OF_REFERENCE = frozenset(
    ["normal", "reference", "ref", "range", "nl", "limit", "limits", "nr", "normals"]
)


def reference_tokens(tokens: Sequence[Token]) -> frozenset[int]:
    """Return the indexes of tokens in brackets that print a reference range: "(normal < 0.04)".

    They say nothing of the patient.
    """
    found: set[int] = set()
    start = None
    for index, token in enumerate(tokens):
        if token.text in {"(", "["}:
            start = index
        elif token.text in {")", "]"} and start is not None:
            inside = []
            for other in tokens[start + 1 : index]:
                inside.append(other.text)
            number = any(word[0].isdigit() for word in inside)
            if number and _OF_REFERENCE.intersection(inside):
                found.update(range(start, index + 1))
            start = None
    return frozenset(found)


def _joins(text: str, before: int, after: int, mark: str) -> bool:
    """True for a mark between letters, or between a letter and a digit ("x-ray", "IGF-1")."""
    if before < 0 or after >= len(text):
        return False
    both = text[before] + text[after]
    if mark == "/":
        return both.isalpha()
    return both.isalnum() and not both.isdigit()
