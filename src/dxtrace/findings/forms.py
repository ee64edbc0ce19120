"""Forms: boxes to tick, yes and no behind a colon, a bar or a slash, and signs in brackets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dxtrace.findings.scope import Property, Scope

_MINUS = frozenset(["-", "–", "−", "—"])
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
        "never",
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
    "◻": False,
    "⬜": False,
    "▢": False,
    "○": False,
    "◯": False,
    "✗": False,
    "✘": False,
    "🚫": False,
    "👎": False,
    "☒": True,
    "☑": True,
    "✓": True,
    "✔": True,
    "✅": True,
    "■": True,
    "◼": True,
}
# What stands in a pair of brackets that is a box: whether that ticks it.
_IN_BOX = {"x": True, "✓": True, "✔": True, "_": False}

_OPENING, _CLOSING = frozenset(["(", "["]), frozenset([")", "]"])
_ENDS_ITEM = frozenset([",", ";", ".", "|", "/", ")", *_MINUS])
_ENDS_FIELD = frozenset([",", ";", ".", "|"])

_OPENING_REPLIES = frozenset([("n", ":"), ("no", ":"), *(("no", mark) for mark in _MINUS)])

#: A sentence of no more words is one field of a form.
_FIELD_WORDS = 6


def form_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield what the fields of forms deny, or leave open.

    Args:
        words: of a sentence, in lower case.
    """
    if not words:
        return
    yield from _box_scopes(words)
    yield from _reply_scopes(words)
    yield from _choice_scopes(words)
    yield from _bracket_scopes(words)
    yield from _sign_scopes(words)
    yield from _struck_scopes(words)


def _box_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield denials by boxes: "[ ] fever", "fever [ ]" and "fever [ ] yes [x] no"."""
    boxes = []
    for index in range(len(words)):
        for box in _box_at(words, index):
            boxes.append((index, *box))
    if boxes and _stand_behind_labels(words, boxes):
        yield from _boxes_behind(words, boxes)
        return
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
    elif words[index] in _OPENING and index + 1 < len(words):
        if words[index + 1] in _CLOSING:
            yield 2, False
        elif words[index + 1] in _IN_BOX and _closes(words, index + 2):
            yield 3, _IN_BOX[words[index + 1]]


def _closes(words: Sequence[str], index: int) -> bool:
    return index < len(words) and words[index] in _CLOSING


def _stand_behind_labels(words: Sequence[str], boxes: Sequence[tuple[int, int, bool]]) -> bool:
    """True if each box stands behind what it is for: "fever [ ]", "fever: Y[ ] N[x]"."""
    last, width, _ = boxes[-1]
    return boxes[0][0] > 0 and last + width >= len(words) - (words[-1] == ".")


def _boxes_behind(
    words: Sequence[str],
    boxes: Sequence[tuple[int, int, bool]],
) -> Iterator[Scope]:
    begin = 0
    for index, width, ticked in boxes:
        meaning = _meaning(words[index - 1])
        if words[index - 1] in _YES or meaning is not None:
            if ticked and meaning is not None:
                yield Scope(meaning, index - 1, index + width - 1, 0, index - 1)
        elif not ticked:
            start = max(begin, _begin_of_field(words, index))
            yield Scope("denied", index, index + width - 1, start, index)
        begin = index + width


def _meaning(label: str) -> Property | None:
    if label in _NO or label in _MINUS or label == "excluded":
        return "denied"
    if label in _UNSURE:
        return "uncertain"
    return None


def _begin_of_field(words: Sequence[str], index: int) -> int:
    """Return where the name of a field begins whose boxes begin before ``index``."""
    start = index
    while start > 0 and words[start - 1] not in _ENDS_FIELD:
        start -= 1
    return start


def _reply_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield denials by a reply: "cough: no", "cough | no", "cough no", "nausea Y / vomiting N"."""
    zeros = _count_replies(words, "0")
    # "N: fever", "No - fever".
    if tuple(words[:2]) in _OPENING_REPLIES:
        yield Scope("denied", 0, 1, 2, len(words))
    for index in range(1, len(words)):
        word, before = words[index], words[index - 1]
        if word not in _NO | _MINUS:
            continue
        asked = _begin_of_question(words, index)
        is_value = (
            before in {":", "=", "→"} or words[index - 2 : index] == ["-", ">"] or asked < index
        )
        ends = _ends_item(words, index)
        if word in _MINUS:
            replies = is_value and ends
        else:
            marked = is_value or before in {"|", "[", *_MINUS}
            bare = word in {"no", "n"} or (word == "0" and zeros > 1)
            replies = (ends or is_value) and (marked or (bare and before[-1:].isalpha()))
        if replies:
            end = asked
            while end > 0 and words[end - 1] in {":", "=", "|", "[", ">", "→", *_MINUS}:
                end -= 1
            yield Scope("denied", index, index, _begin_of_label(words, end), index)


def _ends_item(words: Sequence[str], index: int) -> bool:
    return index + 1 >= len(words) or words[index + 1] in _ENDS_ITEM


def _count_replies(words: Sequence[str], reply: str) -> int:
    """Return how often a word stands behind another and ends its item: "fever 0, cough 0"."""
    count = 0
    for index in range(1, len(words)):
        if words[index] == reply and words[index - 1].isalpha() and _ends_item(words, index):
            count += 1
    return count


def _begin_of_label(words: Sequence[str], end: int) -> int:
    """Return where the label of a reply begins: behind the reply, the mark or the number before it."""
    start = end
    while start > 0:
        word = words[start - 1]
        if word in _NO | _YES | _ENDS_ITEM | {":", "="} or word.isdigit():
            break
        start -= 1
    return start


def _begin_of_question(words: Sequence[str], index: int) -> int:
    """Return where "Y/N", which asks and is no reply, begins before a reply, or ``index``."""
    end = index
    if end > 1 and words[end - 1] == ":":
        end -= 1
    bracketed = end > 3 and words[end - 1] in _CLOSING and words[end - 4] in _OPENING
    if bracketed:
        end -= 1
    if tuple(words[max(0, end - 2) : end]) in {("y", "n"), ("yes", "no")}:
        return end - 2 - bracketed
    return index


_MARKS = frozenset([*_OPENING, *_CLOSING, "*", "_"])


def _choice_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield what a choice of which one is marked says: "fever: Y / [N]", "fever: **Y** / N".

    One of which none is marked leaves the field open.
    """
    for index in range(1, len(words)):
        if words[index] not in {"y", "yes"}:
            continue
        end = index + 1
        while end < len(words) and (words[end] in _MARKS or words[end] == "/"):
            end += 1
        if end >= len(words) or words[end] not in {"n", "no"}:
            continue
        marks_yes = words[index - 1] in _MARKS
        marks_no = words[end - 1] in _MARKS - _CLOSING and not marks_yes
        answered = words[end + 1 : end + 2] == [":"]
        if marks_no:
            yield Scope("denied", index, end, _begin_of_field(words, index), index)
        elif not marks_yes and not answered and ":" in words[:index]:
            yield Scope("uncertain", index, end, _begin_of_field(words, index), index)


def _bracket_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield denials in brackets, before or behind: "(-) chills", "chills (-)", "chills (no)"."""
    leading = words[0] in _OPENING
    for index in range(len(words) - 2):
        if words[index] not in _OPENING:
            continue
        reply = index + 1
        both = words[reply] in {"all", "both"}
        reply += both
        if not _closes(words, reply + 1):
            continue
        square_zero = words[index] == "[" and words[reply] == "0"
        if words[reply] not in (_NO - {"0", "normal"}) | _MINUS and not square_zero:
            continue
        close = reply + 1
        heads = words[close + 1 : close + 2] == [":"] or words[index - 1] == "ros"
        opens = leading or heads or words[index - 1] in {",", ";", ":", "|"}
        if opens:
            end = close + 1
            while end < len(words) and words[end] not in _ENDS_FIELD - {","} | {"(", "[", "+"}:
                end += 1
            yield Scope("denied", index, close, close + 1, end)
        elif words[index - 1] not in _YES | {"/"} and not words[index - 1][:1].isdigit():
            start = index
            while start > 0 and words[start - 1] == ".":
                start -= 1
            stops = {";", ".", ")", "|"} if both else {",", ";", ".", ")", "|"}
            while start > 0 and words[start - 1] not in stops:
                start -= 1
            yield Scope("denied", index, close, start, index)


def _sign_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield denials by a minus without brackets.

    Before what it denies: "+cough -fever", "cough, -fever"; or behind: "cough + fever -", "fever-, chills-".
    """
    if words[:1] == ["−"]:
        yield Scope("denied", 0, 0, 1, len(words))
        return
    signs = []
    for index, word in enumerate(words):
        if word == "+" or word in _MINUS:
            signs.append(index)
    plus = any(words[index] == "+" for index in signs)
    minus = [index for index in signs if words[index] != "+"]
    if not minus:
        return
    listed = {index for index in minus if words[index - 1 : index] in ([","], [";"])}
    # One minus behind a bullet that is a plus is a dash: "+ poor diet - butter".
    many = len(minus) > 1 or bool(listed)
    leading = signs[0] == 0 and many and (words[0] == "+" or bool(listed))
    for index in minus:
        after = words[index + 1 : index + 2]
        if not leading and _is_trailing(words, index, len(minus) > 1 or plus):
            start = index
            while start > 0 and words[start - 1] not in _ENDS_FIELD | _MINUS | {"+"}:
                start -= 1
            yield Scope("denied", index, index, start, index)
        elif leading or (index in listed and after and after[0].isalpha()):
            end = index + 1
            while end < len(words) and words[end] not in _ENDS_FIELD | _MINUS | {"+"}:
                end += 1
            yield Scope("denied", index, index, index + 1, end)


def _is_trailing(words: Sequence[str], index: int, many: bool) -> bool:
    """True for a minus behind what it denies; ``many``: it is not the only sign."""
    if index == 0 or not words[index - 1].isalpha():
        return False
    if many and (
        _ends_with_minus(words) or index + 1 >= len(words) or words[index + 1] in _ENDS_FIELD
    ):
        return True
    alone = index + 1 >= len(words) or words[index + 1 :] == ["."]
    return alone and len(words) <= _FIELD_WORDS


def _ends_with_minus(words: Sequence[str]) -> bool:
    if words[-1] == ".":
        return words[-2] in _MINUS
    return words[-1] in _MINUS


def _struck_scopes(words: Sequence[str]) -> Iterator[Scope]:
    """Yield what is struck out: "~~fever~~"."""
    marks = []
    for index in range(len(words) - 1):
        if words[index] == words[index + 1] == "~":
            marks.append(index)
    for first, last in zip(marks[::2], marks[1::2], strict=False):
        yield Scope("denied", first, first + 1, first + 2, last)
