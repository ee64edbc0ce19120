"""From cases to training rows: on all cores, once, and in batches of like length."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.training import changes, make_model, make_small_corpus

from dxtrace.compose.processes import map_in_order, usable_cores
from dxtrace.corpus import make_corpus, read_teaching, teaching, write_jsonl
from dxtrace.errors import InputError
from dxtrace.models import store
from dxtrace.train import Prepared, load_recipe, prepare
from dxtrace.train.examples import Example
from dxtrace.train.rows import Rows, write_rows

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


lengths = st.lists(st.integers(1, 2000), min_size=1, max_size=200)


@given(lengths, st.integers(1, 32), st.integers(0, 3))
def test_every_row_is_read_once_an_epoch(lengths: list[int], step: int, seed: int) -> None:
    from dxtrace.train.trainer import StepSampler

    assert sorted(StepSampler(lengths, step, seed)) == list(range(len(lengths)))


def test_batches_hold_rows_of_like_length() -> None:
    import random

    from dxtrace.train.trainer import StepSampler

    rng = random.Random(1)
    lengths = [rng.randint(100, 760) for _ in range(4096)]
    order = [lengths[row] for row in StepSampler(lengths, 32, 0)]
    batches = [order[start : start + 32] for start in range(0, len(order), 32)]
    padded = sum(max(batch) * len(batch) for batch in batches)
    assert padded < 1.08 * sum(lengths)
    means = [sum(batch) / 32 for batch in batches]
    assert means != sorted(means) and means != sorted(means, reverse=True)


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
