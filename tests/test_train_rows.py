"""From cases to training rows: on all cores, once, and in batches of like length."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.training import changes, losses, make_model, make_small_corpus

from dxtrace.compose.processes import map_in_order, usable_cores
from dxtrace.corpus import make_corpus, read_teaching, teaching, write_jsonl
from dxtrace.errors import InputError
from dxtrace.models import store
from dxtrace.train import Prepared, corpora, encoded, examples, load_recipe, prepare, train
from dxtrace.train.examples import Example
from dxtrace.train.preflight import run_preflight
from dxtrace.train.rows import Rows, write_rows
from dxtrace.train.shards import ShardedRows

pytest.importorskip("trl", reason="needs the extra 'train'")
pytestmark = pytest.mark.filterwarnings("ignore")  # of torch and transformers, about each other


def test_processes_give_results_in_order() -> None:
    numbers = range(-40, 0)
    assert list(map_in_order(abs, numbers, 2)) == [abs(number) for number in numbers]


def test_an_error_in_a_process_is_raised_here() -> None:
    with pytest.raises(ValueError, match="math domain"):
        list(map_in_order(math.sqrt, (4, -1), 2))


def test_the_limit_on_threads_holds_for_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DXTRACE_THREADS", "1")
    assert usable_cores() == 1
    monkeypatch.setenv("DXTRACE_THREADS", "many")
    with pytest.raises(InputError, match="expected a number"):
        usable_cores()


@pytest.mark.slow
def test_a_corpus_does_not_depend_on_how_many_processes_compose_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(teaching, "_WORTH_A_PROCESS", 20)
    monkeypatch.setattr(teaching, "hard_size", lambda size: size // 4)
    digests: list[str] = []
    for threads in ("1", "2"):
        monkeypatch.setenv("DXTRACE_THREADS", threads)
        digests.append(make_corpus(40, 5, tmp_path / threads).sha256)
    assert digests[0] == digests[1]


@dataclass
class Known:
    """Rows of known lengths that come in parts of a size."""

    lengths: list[int]
    size: int = 10**9

    def __len__(self) -> int:
        return len(self.lengths)

    def parts(self) -> Iterator[tuple[int, list[int]]]:
        for start in range(0, len(self.lengths), self.size):
            yield start, self.lengths[start : start + self.size]


lengths = st.lists(st.integers(1, 2000), min_size=1, max_size=100)


@given(lengths, st.integers(1, 32), st.integers(0, 3), st.sampled_from((1, 7, 64)))
def test_every_row_is_read_once_an_epoch(
    lengths: list[int],
    step: int,
    seed: int,
    size: int,
) -> None:
    from dxtrace.train.trainer import StepSampler

    sampler = StepSampler(Known(lengths, size), step, seed)
    assert sorted(sampler) == list(range(len(lengths)))


def test_a_step_is_asked_for_no_part_that_comes_later() -> None:
    from dxtrace.train.trainer import StepSampler

    sampler = StepSampler(Known([7] * 100, 20), 8, 0)
    order = list(sampler)
    assert set(order[:16]) <= set(range(20))
    assert set(order[16:40]) <= set(range(40))


def test_batches_hold_rows_of_like_length() -> None:
    import random

    from dxtrace.train.trainer import StepSampler

    rng = random.Random(1)
    lengths = [rng.randint(100, 760) for _ in range(4096)]
    for size in (4096, 1000):
        order = [lengths[row] for row in StepSampler(Known(lengths, size), 32, 0)]
        batches = [order[start : start + 32] for start in range(0, len(order), 32)]
        padded = sum(max(batch) * len(batch) for batch in batches)
        assert padded < 1.08 * sum(lengths)
        means = [sum(batch) / 32 for batch in batches]
        assert means != sorted(means) and means != sorted(means, reverse=True)


def test_an_error_while_rows_are_made_ahead_is_raised_where_they_are_read(tmp_path: Path) -> None:
    def make(number: int) -> Generator[list[Example]]:
        yield [Example("case", (1, 2, 3), 1, 1, 0.0, 1.0)]
        raise InputError("a case is too long")

    rows = ShardedRows(tmp_path, [1, 1], make)
    (tmp_path / "about.json").touch()
    assert rows[0].id == "case"
    with pytest.raises(InputError, match="too long"):
        rows[1]
    rows.close()


def test_rows_come_back_from_a_file(tmp_path: Path) -> None:
    rows = [Example(f"case {n}", tuple(range(n + 9)), 4, 3, 0.0, 4.0) for n in range(1200)]
    write_rows(tmp_path / "rows.arrow", rows)
    found = Rows.open(tmp_path / "rows.arrow")
    assert [found[0], found[600], found[-1]] == [rows[0], rows[600], rows[-1]]
    assert found.lengths.tolist() == [len(row.ids) for row in rows]
    assert found.targets.tolist() == [len(row.ids) - 4 for row in rows]
    assert found[1].weights == [0.0] * 4 + [4.0] * 3 + [1.0] * 3
    write_rows(tmp_path / "none.arrow", [])
    assert len(Rows.open(tmp_path / "none.arrow")) == 0


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DXTRACE_HOME", str(tmp_path / "home"))
    return store.home()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    return make_model(folder / "model", make_small_corpus(folder / "corpus"))


@pytest.mark.slow
def test_the_second_start_neither_composes_nor_encodes(own_home: Path, model: Path) -> None:
    def start(*more: str) -> Prepared:
        sets = changes(model, Path("teaching"), "data.teaching_size=40", *more)
        return prepare(load_recipe("smollm2-135m-cpu", sets))

    first = start()
    for file in (own_home / "rows").rglob("about.json"):
        file.write_text("{")
    assert list(start().train) == list(first.train), "damaged rows are made again"
    for file in (own_home / "corpora").rglob("*.jsonl"):
        file.unlink()
    again = start()
    assert list(again.train) == list(first.train)
    assert list(again.dev) == list(first.dev)
    assert again.encoded.split == first.encoded.split
    with pytest.raises(InputError):
        start("data.max_tokens=900")  # other rows: the cases are needed again


@pytest.mark.slow
def test_of_other_peoples_notes_nothing_is_kept(own_home: Path, model: Path) -> None:
    folder = model.parent / "corpus"
    cases = list(read_teaching(folder, "train"))
    file = model.parent / "own.jsonl"
    write_jsonl(file, cases)
    ready = prepare(load_recipe("smollm2-135m-cpu", changes(model, file)))
    assert len(ready.train) == 24
    shutil.rmtree(own_home / "models", ignore_errors=True)
    assert not [path for path in own_home.rglob("*") if path.is_file()]


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a corpus of more than 40 cases be composed as it is read, 20 cases at a time."""
    monkeypatch.setenv("DXTRACE_THREADS", "1")
    monkeypatch.setattr(corpora, "LARGEST_WRITTEN", 40)
    monkeypatch.setattr(examples, "CHUNK", 10)
    monkeypatch.setattr(encoded, "SHARD", 20)


LARGE = ("data.teaching_size=100", "data.limit=75", "data.label_only=0.3", "data.chains=0.5")


@pytest.mark.slow
def test_a_large_corpus_is_composed_as_the_run_comes_to_it(
    own_home: Path,
    model: Path,
    small_shards: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    sets = changes(model, Path("teaching"), *LARGE, "batch=8", "accumulation=1", "steps=4")
    recipe = load_recipe("smollm2-135m-cpu", sets)
    first = prepare(recipe)
    made = sorted(file.name for file in own_home.rglob("train-*.arrow"))
    assert made == ["train-00000.arrow"]
    assert not list((own_home / "corpora").rglob("*.jsonl"))
    assert ", the first 26 rows" in "\n".join(run_preflight(first).lines())
    train(first, tmp_path / "run")
    before = losses(tmp_path / "run")
    # On with the run from its second step, its rows lost: they are made again.
    for file in (*own_home.rglob("train-*.arrow"), *own_home.rglob("about.json")):
        file.unlink()
    (tmp_path / "run/checkpoints/checkpoint-4/trainer_state.json").unlink()
    again = prepare(recipe)
    train(again, tmp_path / "run", resume=True)
    assert losses(tmp_path / "run") == pytest.approx(before, abs=1e-4)
    rows = list(again.train)
    again.train.close()
    monkeypatch.setattr(corpora, "LARGEST_WRITTEN", 1000)
    written = prepare(recipe)
    assert rows == list(written.train)
    assert list(again.dev) == list(written.dev)


@pytest.mark.slow
def test_of_a_large_corpus_a_case_that_is_left_out_gives_its_place_away(
    own_home: Path,
    model: Path,
    small_shards: None,
) -> None:
    short = ("data.max_tokens=900", "data.too_long=drop", "data.label_only=0")
    other = f"data.dev={model.parent / 'corpus'}:dev"
    sets = changes(model, Path("teaching"), *LARGE, *short, other)
    ready = prepare(load_recipe("smollm2-135m-cpu", sets))
    assert ready.encoded.report.dropped
    assert len(list(ready.train)) == 75
    ready.train.close()
    assert ready.dev
    assert {row.id for row in ready.dev} <= json.loads(ready.encoded.split)["dev"].keys()
    kept = [file for file in own_home.rglob("*.json") if "case-3-" in file.read_text("utf-8")]
    assert not kept  # the corpus to measure on is somebody else's
