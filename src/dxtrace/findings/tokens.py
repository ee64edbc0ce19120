"""The words of a sentence with their offsets."""

from __future__ import annotations

import re
from dataclasses import dataclass

_APOSTROPHE = "(?:â€™|[´`?’'ʼ＇\ufffd])"

# Words begin with a letter and may hold digits ("hba1c"); a number never carries its unit ("10mm"
# is two tokens).
_TOKEN = re.compile(
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)"  # 12,000
    r"|\d+(?:[.,·]\d+)?(?!\d)"  # 7.2, and 7,2 as much of the world writes it
    r"|\d+"
    # "didn't", also with an apostrophe that a wrong encoding has mangled.
    rf"|[^\W\d_]+n{_APOSTROPHE}t\b"
    "|[^\\W\\d_](?:[\\w\u00ad\u200b]|['’](?=[^\\W\\d_]))*"
    r"|\S",
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
        joins_words = match[0] in "-/‐‑" and _letter(text, start - 1) and _letter(text, end)
        if not joins_words:
            word = _NOT.sub("n't", match[0].lower()).translate(_PLAIN)
            tokens.append(Token(word, start + offset, end + offset))
    return tokens


def _letter(text: str, index: int) -> bool:
    return 0 <= index < len(text) and text[index].isalpha()
