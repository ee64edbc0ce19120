"""Forms: boxes to tick, yes and no behind a colon, a bar or a slash, and signs in brackets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dxtrace.findings.scope import Property, Scope

_NO = frozenset(
    [
        "n",
        "no",
        "neg",
        "negative",
        "none",
        "0",
        "false",
        "absent",
        "-",
        "–",
        "−",
        "denied",
        "denies",
        "nil",
        "normal",
    ]
)
_YES = frozenset(["y", "yes", "pos", "positive", "1", "true", "present", "+", "confirmed"])
_UNSURE = frozenset(["suspected", "possible", "?", "unknown", "unsure"])

# Marks that stand for a box: whether it is ticked.
_BOXES = {
    "☐": False,
    "□": False,
    "✗": False,
    "✘": False,
    "☒": True,
    "☑": True,
    "✓": True,
    "✔": True,
    "■": True,
}

_ENDS_ITEM = frozenset([",", ";", ".", "|", "/", ")", "-"])


def form_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield what the fields of forms deny, or leave open.

    Args:
        words: of a sentence, in lower case.
    """
    yield from _box_scopes(words)
    yield from _reply_scopes(words)
    yield from _sign_scopes(words)


def _box_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield denials by boxes: "[ ] fever", and "fever [ ] yes [x] no"."""
    boxes = []
    for index in range(len(words)):
        for box in _box_at(words, index):
            boxes.append((index, *box))
    for place, (index, width, ticked) in enumerate(boxes):
        if place + 1 < len(boxes):
            end = boxes[place + 1][0]
        else:
            end = len(words)
        if index + width < len(words):
            label = words[index + width]
        else:
            label = ""
        if label in _YES | _NO | _UNSURE | {"excluded"}:
            meaning = _meaning(label)
            if ticked and meaning is not None:
                yield Scope(meaning, index, index + width, _begin_of_field(words, index), index)
        elif not ticked:
            yield Scope("denied", index, index + width - 1, index + width, end)


def _box_at(words: Sequence[str], index: int) -> Iterator[tuple[int, bool]]:
    """Yield (width, ticked) of a box that stands at ``index``."""
    if words[index] in _BOXES:
        yield 1, _BOXES[words[index]]
    elif words[index] in {"[", "("} and index + 1 < len(words):
        if words[index + 1] in {"]", ")"}:
            yield 2, False
        elif words[index + 1] in {"x", "✓", "✔"} and words[index + 2 : index + 3] in (["]"], [")"]):
            yield 3, True


def _meaning(label: str) -> Property | None:
    if label in _NO or label == "excluded":
        return "denied"
    if label in _UNSURE:
        return "uncertain"
    return None


def _begin_of_field(words: Sequence[str], index: int) -> int:
    """Return where the name of a field begins whose boxes begin before ``index``."""
    start = index
    while start > 0 and words[start - 1] not in {";", ".", "|", ","}:
        start -= 1
    return start


def _reply_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield denials by a reply: "cough: no", "cough | no", "nausea Y / vomiting N"."""
    both = "y" in words and "n" in words
    for index in range(1, len(words)):
        if words[index] not in _NO:
            continue
        ends = (
            index + 1 >= len(words)
            or words[index + 1] in _ENDS_ITEM
            or words[index - 1] in {":", "="}
        )
        marked = words[index - 1] in {":", "|", "=", "[", "-", "–"} and words[index] not in {
            "-",
            "–",
        }
        slashed = both and words[index] == "n"
        if ends and (marked or slashed):
            if marked:
                before = index - 1
            else:
                before = index
            yield Scope("denied", index, index, _begin_of_label(words, before), index)


def _begin_of_label(words: Sequence[str], end: int) -> int:
    """Return where the label of a reply begins: behind the reply, the mark or the number before it."""
    start = end
    while start > 0:
        word = words[start - 1]
        if word in _NO | _YES | _ENDS_ITEM | {":", "="} or word.isdigit():
            break
        start -= 1
    return start


def _sign_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield denials by a minus in brackets, before or behind: "(-) chills", "chills (-)"."""
    for index in range(len(words) - 2):
        if words[index] not in {"(", "["} or words[index + 1] not in {"-", "–", "−"}:
            continue
        if words[index + 2] not in {")", "]"}:
            continue
        opens = index == 0 or words[index - 1] in {",", ";", ":", "|", "/"}
        if opens:
            end = index + 3
            while end < len(words) and words[end] not in {",", ";", ".", "(", "|"}:
                end += 1
            yield Scope("denied", index, index + 2, index + 3, end)
        else:
            start = index
            while start > 0 and words[start - 1] not in {",", ";", ".", ")", "|"}:
                start -= 1
            yield Scope("denied", index, index + 2, start, index)
