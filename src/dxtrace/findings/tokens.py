"""The words of a sentence with their offsets."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Words begin with a letter and may hold digits ("hba1c"); a number never carries its unit ("10mm" is two tokens).
_TOKEN = re.compile(
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?"  # 12,000
    r"|\d+(?:[.·]\d+)?"
    r"|[^\W\d_](?:\w|['’](?=[^\W\d_]))*"
    r"|\S",
)
_ACCENTS = str.maketrans("áàâäãéèêëíìîïóòôöúùûüçñ’", "aaaaaeeeeiiiioooouuuucn'")


@dataclass(frozen=True)
class Token:
    """One word, number or mark: lower case, with half-open offsets into the text."""

    text: str
    start: int
    end: int


def tokenise(text: str, offset: int = 0) -> list[Token]:
    """Return the tokens of a text; hyphens and slashes between letters are dropped ("x-ray" is two words).

    Args:
        text: any text.
        offset: added to every start and end.
    """
    tokens = []
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        joins_words = match[0] in "-/‐‑" and _letter(text, start - 1) and _letter(text, end)
        if not joins_words:
            word = match[0].lower().translate(_ACCENTS)
            tokens.append(Token(word, start + offset, end + offset))
    return tokens


def _letter(text: str, index: int) -> bool:
    return 0 <= index < len(text) and text[index].isalpha()
