"""Damaged files of every format end in an answer, or in one line; ``benchmarks/fuzz.py`` does more."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pyarrow", reason="needs the extra 'train'")

FILE = Path(__file__).parents[1] / "benchmarks" / "fuzz.py"


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    spec = importlib.util.spec_from_file_location("fuzz", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz"] = module
    spec.loader.exec_module(module)
    return module.Fuzzer(tmp_path_factory.mktemp("fuzz") / "files")


def test_good_files_are_read(fuzzer: Any) -> None:
    for name in fuzzer.readers:
        fuzzer.check_good(name)


@settings(max_examples=300, deadline=None)
@given(reader=st.integers(0, 99), seed=st.integers(0, 2**32))
def test_damaged_files_end_in_an_answer_or_one_line(fuzzer: Any, reader: int, seed: int) -> None:
    names = list(fuzzer.readers)
    name = names[reader % len(names)]
    assert not fuzzer.run(name, seed).fault, (
        f"python benchmarks/fuzz.py --only {name} --seed {seed} --count 1"
    )
