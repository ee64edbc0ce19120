"""Lists that deny each of their items: below "He denies:", and those whose items have a plus or a minus."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# A line that opens a list of what is denied: it ends in a colon, or with the denial itself, perhaps with the first
# item on the next. "No tremor" at the end of a line denies the tremor, and nothing below it.
_OPENS_DENIAL = re.compile(
    r"(?:\b(?:denie[sd]|denying|negatives?(?: for)?|no|none of|without|absent|lacks?|not present"
    r"|never had|(?:not|n't) (?:have|had|experienc\w+|report\w*))\b[^.;:]{0,80}:"
    r"|(?:\b(?:denie[sd]|denying|negative for|negatives|no|none of|without|absent|not (?:have|had|report\w*))\b)"
    r"(?:[ \t]+(?:any|all|of|the|these|below|following|symptoms?|signs?))*(?:[ \t]*\r?\n[^.;:\n]{0,60})?)[\s*_]*\Z",
    re.IGNORECASE,
)
# ... or is such a heading as a whole.
_HEADS_DENIAL = re.compile(
    r"\W*(?:symptoms?|findings?|complaints?|features)?\W*"
    r"(?:negatives?|absent|denie[sd]|no|none|not (?:present|reported|found))\W*",
    re.IGNORECASE,
)
_LINE = re.compile(r"[^\n\r]+")
_MARK = re.compile(
    r"(?P<indent>[ \t]*)(?:(?P<bullet>[-*•+–−>◦▪●‣·](?!\*))|\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{1,4})[.)])[ \t]*(?=\S)",
)
# An item that ends such a list.
_AFFIRMS = re.compile(
    r"(?:but|however|yes|endorses|admits|reports|complains|positive|does have|has|had)\b|\+",
    re.IGNORECASE,
)
#: Characters that end lines between two items, at most: an empty line.
_GAP = 4


@dataclass(frozen=True)
class _Item:
    """A line of a list: where it stands, how far it is indented, its mark."""

    start: int
    end: int
    indent: int
    bullet: str
    affirms: bool


def opens_denial(line: str) -> bool:
    """Return whether a line opens a list of what is denied."""
    if line.rstrip().endswith("."):
        return False
    return _OPENS_DENIAL.search(line) is not None or _HEADS_DENIAL.fullmatch(line) is not None


def denied_items(note: str) -> list[tuple[int, int]]:
    """Return the ranges of lines that are items of denied lists, in order."""
    ranges: list[tuple[int, int]] = []
    opener = ""
    items: list[_Item] = []
    last = 0
    for match in _LINE.finditer(note):
        start, end = match.span()
        line = match[0]
        if not line.strip():
            continue
        item = _item(line, start, end)
        near = start - last <= _GAP
        if item is None or (items and not (near and item.indent >= items[0].indent)):
            ranges += _denied(opener, items)
            items = []
            opener = line
        else:
            if not near and not items:
                opener = ""
            items.append(item)
        last = end
    return [*ranges, *_denied(opener, items)]


def _item(line: str, start: int, end: int) -> _Item | None:
    mark = _MARK.match(line)
    if mark is None or opens_denial(line):
        return None
    affirms = _AFFIRMS.match(line, mark.end()) is not None
    return _Item(start, end, len(mark["indent"].expandtabs(4)), mark["bullet"] or "", affirms)


def _denied(opener: str, items: Sequence[_Item]) -> Iterator[tuple[int, int]]:
    """Yield the denied items of a list below the line ``opener``."""
    bullets = {item.bullet for item in items}
    signed = "+" in bullets and bool(bullets & {"-", "–", "−"})
    listed = opens_denial(opener)
    mark = _MARK.match(opener)
    if mark and items and items[0].indent <= len(mark["indent"].expandtabs(4)):
        listed = False
    for item in items:
        if item.affirms:
            listed = False
        if listed or (signed and item.bullet in {"-", "–", "−"}):
            yield item.start, item.end
