"""JSON and YAML that others wrote: bounded, without a key that is there twice, checked by type."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import TypeAdapter, ValidationError

from dxtrace.errors import InputError, first_fault
from dxtrace.files.writing import read_bytes

#: Deepest nesting of JSON and YAML.
MAX_DEPTH = 64

#: Longest JSON file, in bytes: the manifest of a million cases.
MAX_JSON_BYTES = 1 << 27

#: Longest YAML file of a user, in bytes. PyYAML reads about 1 MB a second.
MAX_YAML_BYTES = 1 << 20

Value = TypeVar("Value")
Pairs = list[tuple[str, Any]]


class UnusableError(ValueError):
    """Why a text cannot be parsed; whoever knows its place adds it."""


def decode_json(data: str | bytes, pairs: Callable[[Pairs], Any] | None = None) -> Any:
    """Return what JSON in UTF-8 says, with or without a byte order mark.

    Args:
        data: the text.
        pairs: makes an object of its keys and values; by default a key may be there once.

    Raises:
        UnusableError: it is no JSON, or more than is read.
    """
    if len(data) > MAX_JSON_BYTES:
        raise UnusableError(f"longer than {MAX_JSON_BYTES:,} bytes")
    try:
        if isinstance(data, bytes):
            data = data.decode("utf-8-sig")
        text = data.rstrip("\r\n")
        value = json.loads(text, object_pairs_hook=pairs or _each_key_once)
    except UnicodeDecodeError as error:
        raise UnusableError(f"not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        place = f"column {error.colno}"
        if "\n" in text:
            place = f"line {error.lineno}, {place}"
        raise UnusableError(f"not valid JSON ({place})") from None
    except UnusableError:
        raise
    except (RecursionError, ValueError):
        raise UnusableError(
            "not usable JSON (nested too deep, or a number too long)",
        ) from None
    if _deeper_than(value, MAX_DEPTH):
        raise UnusableError("not usable JSON (nested too deep)")
    if pairs is None and re.search(r"\\u[dD][89a-fA-F]", text):
        _check_characters(value)
    return value


def _check_characters(value: Any) -> None:
    """Refuse half a character (a surrogate without its other half): no file can hold it."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UnusableError("holds half a character (a surrogate)") from None


def _each_key_once(pairs: Pairs) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise UnusableError(f"the key {_shown(key)} is there twice")
            seen.add(key)
    return found


def _shown(key: Any) -> str:
    """Return a key for a message; a long one could be a note's text."""
    if len(str(key)) > 30:
        return "(a long one)"
    return repr(key)


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
        if not below:
            return False
        level = below
    return True


def parse_json(data: str | bytes, place: str, kind: type[InputError] = InputError) -> Any:
    """Return what JSON says.

    Raises:
        InputError: of the kind given; it names ``place``, and what is wrong where.
    """
    try:
        return decode_json(data)
    except UnusableError as error:
        raise kind(f"{place}: {error}") from None


def read_json(path: Path, kind: type[InputError] = InputError) -> Any:
    """Return what a JSON file says.

    Raises:
        InputError: of the kind given; it cannot be read.
    """
    return parse_json(read_bytes(path, kind, MAX_JSON_BYTES), str(path), kind)


def check(
    type_: Callable[..., Value],
    data: Any,
    place: str,
    kind: type[InputError] = InputError,
) -> Value:
    """Return parsed data as a value of a type that pydantic knows: a model, a dataclass.

    Raises:
        InputError: of the kind given; it names ``place`` and the first field that is wrong.
    """
    try:
        value: Value = _adapter(cast("Hashable", type_)).validate_python(data)
    except ValidationError as error:
        raise kind(f"{place}: {first_fault(error)}") from None
    return value


@cache
def _adapter(type_: Any) -> TypeAdapter[Any]:
    return TypeAdapter(type_)


def parse_yaml(text: str) -> Any:
    """Parse YAML of our own with the C loader where it is there (ten times faster)."""
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def packaged_yaml(package: str, name: str) -> Any:
    """Return what a YAML file says that ships inside a package."""
    return parse_yaml(resources.files(package).joinpath(name).read_text("utf-8"))


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_Loader):  # type: ignore[misc]
    """Takes each key once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(found) < len(node.value):
            keys = []
            for key, _ in node.value:
                keys.append(self.construct_object(key))
            twice = next(key for key in keys if keys.count(key) > 1)
            line = node.start_mark.line + 1
            raise UnusableError(
                f"the key {_shown(twice)} is there twice (in the part at line {line})"
            )
        return found


def parse_yaml_strictly(text: str, place: str, kind: type[InputError] = InputError) -> Any:
    """Return what a user's YAML says: no anchors, which a few lines can let grow without end.

    Raises:
        InputError: of the kind given; it names ``place`` and what is wrong.
    """
    try:
        _check_events(text)
        return yaml.load(text, _StrictLoader)
    except UnusableError as error:
        raise kind(f"{place}: {error}") from None
    except yaml.MarkedYAMLError as error:
        line = "line not known"
        if error.problem_mark is not None:
            line = f"line {error.problem_mark.line + 1}"
        raise kind(f"{place}: not YAML ({error.problem}, {line})") from None
    except (yaml.YAMLError, RecursionError):
        raise kind(f"{place}: not YAML") from None
    except Exception as error:  # PyYAML raises many kinds on odd numbers and dates
        name = type(error).__name__
        raise kind(f"{place}: holds a value that cannot be read ({name})") from None


def _check_events(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise UnusableError("anchors are not read; write it out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise UnusableError("nested too deep")


def read_yaml(path: Path, kind: type[InputError] = InputError) -> Any:
    """Return what a user's YAML file says.

    Raises:
        InputError: of the kind given; it cannot be read.
    """
    data = read_bytes(path, kind, MAX_YAML_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise kind(f"{path}: not UTF-8 text (byte {error.start})") from None
    return parse_yaml_strictly(text, str(path), kind)
