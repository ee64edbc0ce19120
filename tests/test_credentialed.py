"""What was made from credentialed data says so: rows, pages, exports, answers."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import gguf
import pytest
from support import DATA
from support.cases import SHORT
from support.commands import run

from dxtrace.chain import Chain, ModelInfo, Span, Step
from dxtrace.corpus.answer_cases import answer_row
from dxtrace.corpus.systems import Identity, System
from dxtrace.models.export import write_lora_gguf
from dxtrace.models.opening import says_credentialed, shipped_adapter
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case
from dxtrace.provenance import CREDENTIALED_RULE, GGUF_PROVENANCE

RULE = CREDENTIALED_RULE[:30]
CASE = Case.from_text(SHORT, "short")


def chain(credentialed: bool) -> Chain:
    evidence = Span(CASE.note[:10], 0, 10, CASE.section_at(0))
    step = Step("Suspected Tuberculosis", "It fits.", evidence)
    path = ("Suspected Tuberculosis", "Tuberculosis")
    model = ModelInfo("m", credentialed=credentialed)
    answer = Chain(CASE.id, CASE.note, "Tuberculosis", "Tuberculosis", path, (step,))
    return replace(answer, model=model)


@pytest.mark.parametrize(("tag", "model"), [(True, False), (False, True), (False, False)])
def test_a_row_is_marked_for_its_note_and_for_its_model(tag: bool, model: bool) -> None:
    tags = {"credentialed": "true"} if tag else {}
    system = System(Identity("m"), lambda _: chain(model))
    row = answer_row(system, "short", AnnotatedCase(CASE, None, "short", tags))
    assert row.get("credentialed", False) == (tag or model)
    assert Chain.from_json(row).model.credentialed == model


@pytest.mark.parametrize(
    ("mark", "shown"),
    [({"credentialed": True}, True), ({"model": {"credentialed": True}}, True), ({}, False)],
)
def test_a_page_of_such_a_row_is_marked(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    mark: dict[str, object],
    shown: bool,
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(chain(False).to_json() | mark) + "\n")
    page = tmp_path / "page.html"
    assert run(capsys, "view", file, "--out", page)[0] == 0
    assert (RULE in page.read_text()) == shown


def test_a_library_of_such_notes_is_marked(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    page = tmp_path / "page.html"
    code, _, err = run(capsys, "view", f"direct:{DATA / 'direct'}", "--out", page)
    assert code == 0, err
    assert RULE in page.read_text()


@pytest.mark.parametrize("credentialed", [True, False])
def test_an_exported_adapter_says_what_it_was_made_from(tmp_path: Path, credentialed: bool) -> None:
    shipped = shipped_adapter("smollm2-135m")
    assert shipped is not None
    adapter = tmp_path / "adapter"
    shutil.copytree(shipped, adapter)
    record = json.loads((adapter / "provenance.json").read_text())
    (adapter / "provenance.json").write_text(json.dumps(record | {"credentialed": credentialed}))
    base = tmp_path / "base"
    base.mkdir()
    sizes = {"num_attention_heads": 9, "num_key_value_heads": 3, "hidden_size": 576}
    sizes |= {"intermediate_size": 1536, "num_hidden_layers": 30}
    (base / "config.json").write_text(json.dumps({"model_type": "llama", **sizes}))
    file = write_lora_gguf(adapter, str(base), tmp_path / "lora.gguf")
    said = json.loads(gguf.GGUFReader(file).fields[GGUF_PROVENANCE].contents())
    assert said["credentialed"] == credentialed
    assert said["corpora"] == record["corpora"]
    assert says_credentialed(file) == says_credentialed(adapter) == credentialed
