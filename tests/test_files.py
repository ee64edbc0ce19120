"""Files: written whole or not at all, read by line, grown by one run at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dxtrace.corpus import load_corpus
from dxtrace.errors import CorpusError, InputError, RowError
from dxtrace.files import (
    MAX_DEPTH,
    RowStore,
    atomic_write,
    derive,
    named_path,
    read_jsonl,
    read_yaml,
    whole_folder,
)


def has_key(row: dict[str, Any]) -> str | None:
    return row.get("key")


def open_store(path: Path) -> RowStore[str]:
    return RowStore(path, has_key, "a row")


def lines(path: Path) -> list[dict[str, Any]]:
    return [line.parse() for line in read_jsonl(path)]


def test_a_file_that_is_written_can_be_read_by_others(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        atomic_write(tmp_path / "deep" / "page.html", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "deep" / "page.html").stat().st_mode & 0o777 == 0o644


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise OSError(28, "No space left on device")

    file = tmp_path / "rows.jsonl"
    file.write_text("old")
    with pytest.raises(InputError, match=r"rows\.jsonl: cannot be written \(No space left"):
        atomic_write(file, broken())
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_only_a_line_feed_ends_a_row(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    note = "one\u2028two\u2029three\x85four"
    text = json.dumps({"note": note}, ensure_ascii=False)
    file.write_text(f"\ufeff{text}\r\n\n \n{text}", "utf-8", newline="")
    assert [line.number for line in read_jsonl(file)] == [1, 4]
    assert [row["note"] for row in lines(file)] == [note, note]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a": \xff}', "not UTF-8 text"),
        (b'{"a": ', "not valid JSON (column 7); each line is one whole object"),
        (b'{"a": 1,, "b": 2}', "not valid JSON (column 9)"),
        (b"[" * 100_000, "nested too deep"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested too deep"),
        (b"1" * 5000, "a number too long"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' is there twice"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, data: bytes, reason: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"key": "a"}\n' + data + b"\n")
    _, second = read_jsonl(file)
    with pytest.raises(RowError) as caught:
        second.parse()
    assert str(caught.value).startswith(f"{file}, line 2: ") and reason in str(caught.value)


def test_half_a_row_is_cut_off_and_a_whole_one_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"key": "a"}\n{"key": "b')
    with open_store(file) as store:
        assert store.kept == ["a"]
        store.append({"key": "c", "note": "x\u2028y"})
    file.write_text(file.read_text().rstrip("\n"))
    with open_store(file) as store:
        assert store.kept == ["a", "c"]
        store.append({"key": "d"})
    assert [row["key"] for row in lines(file)] == ["a", "c", "d"]
    assert len(file.read_text("utf-8").splitlines()) == 3


@pytest.mark.parametrize(
    "content",
    [
        "A note without a line feed at its end",
        '{"id": "a", "note": "x"}\n{"id": "b", "note": "y"}',
        '{"key": "a"}\n{"id": "a case"}\n',
        '{"key": "a"}\n{"id": "a case"}',
        '{"key": "a',
        "\x7fELF\x00\x01\n\x02",
    ],
)
def test_a_file_that_is_not_ours_stays_as_it_is(tmp_path: Path, content: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(content)
    with pytest.raises(InputError, match=r"rows\.jsonl, line \d: not a row"), open_store(file):
        pass
    assert file.read_text() == content


def test_rows_are_dropped_and_the_file_grows_on(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    with open_store(file) as store:
        for key in "abcd":
            store.append({"key": key})
        store.drop({0, 2})
        store.append({"key": "e"})
        assert store.kept == ["b", "d", "e"]
    assert [row["key"] for row in lines(file)] == ["b", "d", "e"]
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize("rewritten", [False, True])
def test_a_second_run_is_locked_out(tmp_path: Path, rewritten: bool) -> None:
    file = tmp_path / "rows.jsonl"
    code = (
        "import sys; from pathlib import Path; from dxtrace.files import RowStore\n"
        "with RowStore(Path(sys.argv[1]), lambda row: row, 'a row'): print('in')"
    )
    command = [sys.executable, "-c", code, str(file)]
    with open_store(file) as store:
        store.append({"key": "a"})
        if rewritten:
            store.drop({0})
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1 and "another run is writing it" in done.stderr
    assert subprocess.run(command, capture_output=True, text=True).stdout == "in\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\nb: [", r"not YAML \(.*, line 3\)"),
        ("a: 1\na: 2", "the key 'a' is there twice"),
        ("a: &x [1]\nb: [*x, *x]", "anchors are not read"),
        ("[" * 100 + "]" * 100, "nested too deep"),
        ("a: " + "9" * 5000, "cannot be read"),
        ("a: 2024-99-99", "cannot be read"),
        ("a: !!python/object:os.system x", "not YAML"),
        ("a: \x00", "not YAML"),
    ],
)
def test_yaml_that_cannot_be_read_is_named(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(InputError, match=rf"recipe\.yaml: .*{reason}") as caught:
        read_yaml(file)
    assert "\n" not in str(caught.value)


def test_what_is_no_name_of_a_file_is_refused() -> None:
    for name in ("x" * 5000, "y" * 300, "two\nlines", "~nobody-has-this-name/x"):
        with pytest.raises(InputError, match="no name of a file"):
            named_path(name)


class Builds:
    """Builds something and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> bytes:
        self.count += 1
        return b"index"


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DXTRACE_HOME", str(tmp_path))
    return tmp_path


def test_what_is_derived_is_built_once_for_each_content(empty_home: Path) -> None:
    build = Builds()
    assert [derive("part", [b"one", b"two"], build) for _ in range(3)] == [b"index"] * 3
    assert build.count == 1
    derive("part", [b"onetwo"], build)
    assert build.count == 2
    assert len(list((empty_home / "derived").iterdir())) == 1, "the older one is replaced"


def test_a_damaged_cache_costs_a_build(empty_home: Path) -> None:
    build = Builds()
    derive("part", [b"one"], build)
    (file,) = (empty_home / "derived").iterdir()
    for damage in (b"", file.read_bytes()[:-1], file.read_bytes() + b"x"):
        file.write_bytes(damage)
        assert derive("part", [b"one"], build) == b"index"
    assert build.count == 4


def test_a_cache_that_cannot_be_written_costs_a_build(empty_home: Path) -> None:
    (empty_home / "derived").write_text("a file where the folder belongs")
    build = Builds()
    assert [derive("part", [b"one"], build) for _ in range(2)] == [b"index"] * 2
    assert build.count == 2


def test_a_path_with_a_null_byte_is_one_clear_error() -> None:
    with pytest.raises(CorpusError, match="no name of a file"):
        load_corpus("jsonl", "rows\x00.jsonl")


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "model"

    def write(interrupted: bool) -> None:
        with whole_folder(target) as part:
            (part / "config.json").write_text("{}")
            if interrupted:
                raise KeyboardInterrupt
            weights = part / "model.safetensors"
            weights.touch(mode=0o600)

    with pytest.raises(KeyboardInterrupt):
        write(interrupted=True)
    assert not list(tmp_path.iterdir())
    before = os.umask(0o022)
    try:
        write(interrupted=False)
    finally:
        os.umask(before)
    modes = {file.name: file.stat().st_mode & 0o777 for file in target.iterdir()}
    assert modes == {"config.json": 0o644, "model.safetensors": 0o644}
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file"), whole_folder(tmp_path / "file" / "model"):
        raise AssertionError("nothing is written")
