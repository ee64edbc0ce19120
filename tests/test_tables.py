"""Every table of figures in README and card is made by a command, which runs here at a small size."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from support import ROOT

from dxtrace.compose import Composer

CARD = ROOT / "src" / "dxtrace" / "adapters" / "smollm2-135m" / "README.md"
BLOCK = re.compile(r"<!-- figures: (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "benchmarks" / "tables.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tables"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Composed cases in the shape of the published ones, and examinations of other illnesses."""
    folder = tmp_path_factory.mktemp("data")
    composer = Composer(3)
    rows, pairs = [], []
    for number in range(3):
        case = composer.case(number)
        assert case.gold is not None
        step = case.gold.steps[0]
        rows.append({
            "id": case.id,
            "note": case.case.note,
            "category": case.gold.category,
            "diagnosis": None if number == 0 else case.gold.diagnosis,
            "key_evidence": [step.evidence.text],
        })  # fmt: skip
        assert step.premise is not None
        for label, span in (("good", step.evidence), ("wrong", case.gold.steps[-1].evidence)):
            pair = {"case": case.id, "start": span.start, "end": span.end}
            pairs.append({**pair, "premise": step.premise.id, "label": label, "why": None})
    exams = []
    for name in ("Head lice", "Ingrown nail"):
        patient = {"History": f"A healthy man who has {name.lower()}.", "Symptoms": {}}
        exam = {"Patient_Actor": patient, "Correct_Diagnosis": name}
        exams.append({"OSCE_Examination": exam})
    for name, lines in (("cases", rows), ("pairs", pairs), ("agentclinic", exams)):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text)
    return folder


def blocks(text: str) -> dict[str, str]:
    return dict(BLOCK.findall(text))


def run(tables: ModuleType, data: Path, systems: list[str], out: Path) -> dict[str, str]:
    page = out / "page.md"
    names = ("composed", "published", "outside", "quotes")
    page.write_text("".join(f"<!-- figures: {name} -->\nold\n<!-- end -->\n" for name in names))
    words = ["--composed", "2", "--train", "30", "--systems", *systems, "--out", str(out)]
    for option in ("cases", "agentclinic", "pairs"):
        words += [f"--{option}", str(data / f"{option}.jsonl")]
    tables.main([*words, "--write", str(page)])
    return blocks(page.read_text())


def test_the_command_fills_each_table(tables: ModuleType, data: Path, tmp_path: Path) -> None:
    found = run(tables, data, ["findings", "majority"], tmp_path)
    assert "findings alone, no model | 100 %" in found["composed"]
    assert "majority" in found["composed"] and "majority" not in found["published"]
    assert "3 cases, 2 with a known type" in found["published"]
    assert "2 examination cases outside the known illnesses, 3 published" in found["outside"]
    assert "area under the curve" in found["quotes"] and "key evidence stated" in found["quotes"]
    for name, text in found.items():
        assert "old" not in text.splitlines()
        assert "Made by `python benchmarks/tables.py" in text, name


@pytest.mark.slow
def test_the_shipped_model_is_measured(
    tables: ModuleType, data: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DXTRACE_HOME", str(home))
    systems = ["as shipped", "findings"]
    words = ["--composed", "2", "--out", str(tmp_path), "--systems", *systems]
    tables.main(words)
    (file,) = tmp_path.glob("*/composed/as-shipped.jsonl")
    answered = file.read_text()
    assert len(answered.splitlines()) == 2
    tables.main(words)
    assert file.read_text() == answered


@pytest.mark.parametrize("path", [ROOT / "README.md", CARD])
def test_tables_of_figures_are_those_that_the_command_makes(
    path: Path, tables: ModuleType, data: Path, tmp_path: Path
) -> None:
    made = run(tables, data, ["findings"], tmp_path)
    there = blocks(path.read_text("utf-8"))
    assert there
    for name, text in there.items():
        assert text.splitlines()[0] == made[name].splitlines()[0], f"columns of {name}"
        assert text.splitlines()[-1] == made[name].splitlines()[-1], f"command of {name}"
