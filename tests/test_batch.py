"""Answering many cases: nothing lost, nothing done twice, one bad case does not stop the rest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.cases import SHORT
from support.commands import Run
from support.engines import UNREAD

from dxtrace.chain import Chain
from dxtrace.corpus.answer_cases import Tally, answer_cases
from dxtrace.corpus.policy import FairReasoner
from dxtrace.corpus.source import read_tasks
from dxtrace.errors import InputError


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def write(file: Path, *lines: object) -> Path:
    file.write_text(
        "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines),
        "utf-8",
    )
    return file


def answer(source: Path | str, out: Path, redo: bool = False, **options: int) -> Tally:
    tasks = read_tasks(str(source), **options)
    return answer_cases(FairReasoner(UNREAD).system, tasks, out, redo=redo)


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped(dxtrace: Run, home: Path, tmp_path: Path) -> None:
    source = write(
        tmp_path / "in.jsonl",
        *({"id": f"c{n}", "note": f"Day {n}: {SHORT}"} for n in range(3)),
    )
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "dxtrace", "batch", str(source), "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not (out.exists() and b"\n" in out.read_bytes()):
            assert process.poll() is None or out.exists()
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    done = rows(out)
    with out.open("a") as sink:
        sink.write('{"id": "c2", "note": "half a ro')
    assert dxtrace("batch", source, "--out", out).returncode == 0
    found = rows(out)
    assert found[: len(done)] == done
    assert [row["id"] for row in found] == ["c0", "c1", "c2"]
    for row in found:
        Chain.from_json(row).verify()


def test_a_bad_case_is_an_error_row_and_the_rest_goes_on(tmp_path: Path) -> None:
    lines = [
        {"id": "good", "note": SHORT},
        "{broken\n",
        {"id": "empty", "note": " "},
        "\n",
        {"id": "good", "note": SHORT},
    ]
    lines += [
        {"id": "nothing to quote", "note": "12 / 80 !!"},
        {"note": SHORT},
        {"id": 7, "hpi": SHORT},
        ["list"],
    ]
    source = write(tmp_path / "in.jsonl", *lines)
    answer(source, tmp_path / "out.jsonl")
    found = {row["id"]: row for row in rows(tmp_path / "out.jsonl")}
    assert len(found) == 8
    answered = {id for id, row in found.items() if "error" not in row}
    assert {"good", "good~2", "7"} < answered
    assert len(answered) == 4
    for id in found.keys() - answered:
        assert found[id].keys() == {"id", "error"}
        assert found[id]["error"]["type"] == "CaseError"
        assert "\n" not in found[id]["error"]["message"]
    assert any("line 2" in row["error"]["message"] for row in found.values() if "error" in row)


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", *({"id": f"c{n}", "note": SHORT} for n in range(4)))
    out = tmp_path / "deep" / "out.jsonl"
    assert answer(source, out, limit=2).answered == 2
    first = out.read_bytes()
    again = answer(source, out)
    assert (again.answered, again.kept) == (2, 2)
    assert out.read_bytes().startswith(first)
    assert answer(source, out).answered == 0
    assert [row["id"] for row in rows(out)] == ["c0", "c1", "c2", "c3"]


def test_a_folder_is_read_by_relative_names(tmp_path: Path) -> None:
    (tmp_path / "in" / "ward").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text(SHORT)
    (tmp_path / "in" / "ward" / "a.txt").write_text(SHORT)
    (tmp_path / "in" / "ward" / "b.json").write_text(json.dumps({"hpi": SHORT}))
    (tmp_path / "in" / "notes.csv").write_text("not a case")
    answer(tmp_path / "in", tmp_path / "out.jsonl")
    assert [row["id"] for row in rows(tmp_path / "out.jsonl")] == ["a", "ward/a", "ward/b"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ids=st.lists(st.sampled_from(["a", "b", "a#2", "", "\u00e9"]), max_size=12),
    shards=st.integers(1, 5),
)
def test_shards_share_the_cases_without_overlap(
    tmp_path: Path,
    ids: list[str],
    shards: int,
) -> None:
    source = write(tmp_path / "in.jsonl", *({"id": id, "note": SHORT} for id in ids))
    if not ids:
        with pytest.raises(InputError, match="no case"):
            read_tasks(str(source))
        return
    parts = [
        [id for id, _ in read_tasks(str(source), num_shards=shards, shard_index=index)]
        for index in range(shards)
    ]
    whole = [id for id, _ in read_tasks(str(source))]
    assert sorted(chain.from_iterable(parts)) == sorted(whole)
    assert len(set(whole)) == len(whole) == len(ids)


@pytest.mark.parametrize(
    "content",
    ["not json\n", '{"no": "id"}\n', "[1]\n", '{"id": "a"}\n{oops}\n'],
)
def test_a_file_that_holds_no_results_is_not_touched(tmp_path: Path, content: str) -> None:
    source = write(tmp_path / "in.jsonl", {"note": SHORT})
    out = write(tmp_path / "out.jsonl", content)
    with pytest.raises(InputError, match=r"out\.jsonl, line"):
        answer(source, out)
    assert out.read_text() == content


def test_a_source_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "none.jsonl", tmp_path / "none", tmp_path / "empty"):
        with pytest.raises(InputError, match=source.name):
            answer(source, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_shards_out_of_range_are_refused(dxtrace: Run, tmp_path: Path) -> None:
    done = dxtrace(
        "batch",
        tmp_path,
        "--out",
        tmp_path / "o",
        "--num-shards",
        "2",
        "--shard-index",
        "2",
    )
    assert done.returncode == 2
    assert "--shard-index 2" in done.stderr
