"""Adapters in other forms: they say what the adapter says."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from support.training import command, environment, make_model, make_small_corpus

from dxtrace.errors import ModelError, NotAModelError, UnknownName
from dxtrace.models import store
from dxtrace.models.export import (
    adapter_folder,
    base_of,
    export_adapter,
    load_plain,
    modelfile,
)
from dxtrace.models.verify import _all_in_torch, verify
from dxtrace.notes.case import Case
from dxtrace.notes.prompt import SYSTEM, prompt_parts
from dxtrace.provenance import Provenance, read_provenance

pytest.importorskip("peft", reason="needs the extra 'train'")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]


def random_adapter(base: str, out: Path, provenance: Provenance) -> Path:
    """Write an adapter that changes the base visibly, without training."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    adapted = get_peft_model(
        model,
        LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    torch.manual_seed(1)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(0, 0.02)
    adapted.save_pretrained(out)
    (out / "provenance.json").write_text(json.dumps(provenance.to_json()))
    return out


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    from dxtrace.models.torch_base import locate

    known = store.packaged(store.DEFAULT)
    provenance = Provenance(base_model=known.name, base_sha256=known.sha256)
    return random_adapter(
        locate(known.name).where,
        tmp_path_factory.mktemp("export") / "adapter",
        provenance,
    )


def test_all_forms_say_what_the_adapter_says(
    adapter: Path,
    tmp_path: Path,
    short_case: Case,
) -> None:
    cases = tmp_path / "cases.jsonl"
    notes = (
        short_case.note,
        "Fever 38.9, rigors and a productive cough for 3 days. Crackles at the left base. WBC 17.2.",
    )
    cases.write_text(
        "".join(json.dumps({"id": str(i), "note": note}) + "\n" for i, note in enumerate(notes)),
    )
    line = command("verify-export", adapter, "--cases", cases, "--json")
    done = subprocess.run(line, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert [row["same_ids"] for row in found["comparisons"]] == [2, 2, 2, 2, 2]
    assert found["verdict"].startswith("SAME: 4 of 4 forms say what the adapter says on 2 cases")
    assert found["comparisons"][0]["difference"] <= 1e-4
    assert all(row["difference"] <= 1e-3 for row in found["comparisons"][1:4])


def test_the_modelfile_gives_the_prompt_of_training(home: Path) -> None:
    import gguf

    source = store.pull(store.DEFAULT)
    text = modelfile(source)
    template = text.split('TEMPLATE """')[1].split('"""')[0]
    fields = gguf.GGUFReader(source).fields
    prompt = "".join(
        t for t, _ in prompt_parts(fields["tokenizer.chat_template"].contents(), "A note.")
    )
    assert (
        template.replace("{{ .System }}", SYSTEM)
        .replace("{{ .Prompt }}", "A note.")
        .startswith(prompt)
    )
    assert 'PARAMETER stop "<|im_end|>"' in text


def test_a_merged_folder_gives_the_same_logits(tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = make_model(tmp_path / "base", make_small_corpus(tmp_path / "corpus"))
    adapter = random_adapter(str(base), tmp_path / "adapter", Provenance(base_model=str(base)))
    export_adapter(adapter, tmp_path / "merged", "hf", base=str(base))
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    beside = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(adapter))
    ids = torch.arange(60)[None]
    with torch.inference_mode():
        assert (merged(ids).logits - beside(ids).logits).abs().max() <= 1e-4
    assert (tmp_path / "merged" / "provenance.json").is_file()


def test_calibrating_on_own_notes_writes_what_the_reasoner_reads(
    adapter: Path,
    tmp_path: Path,
) -> None:
    from dxtrace.compose import Composer
    from dxtrace.models import read_calibration

    composer = Composer(77)
    adapter = shutil.copytree(adapter, tmp_path / "adapter")
    rows = []
    for number in range(12):
        case = composer.case(number)
        row = replace(case, tags={"credentialed": "true"}).to_json()
        if number > 9:  # nobody says what these patients have
            for key in ("diagnosis", "category", "path", "steps"):
                del row[key]
        rows.append(json.dumps(row) + "\n")
    (tmp_path / "own.jsonl").write_text("".join(rows))
    line = command(
        "calibrate", adapter, "--data", tmp_path / "own.jsonl", "--count", "10", "--json"
    )
    done = subprocess.run(line, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["cases"] == 10
    assert found["after"] <= found["before"]
    assert read_calibration(adapter).to_json() == found["calibration"]
    kept = read_calibration(adapter)
    assert kept.support > 0  # an untrained model knows less than the findings
    assert kept.scope is not None and kept.conformal
    assert read_provenance(adapter).credentialed


def test_wrong_places_and_forms_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not an adapter"):
        adapter_folder(tmp_path)
    with pytest.raises(UnknownName, match="gguf"):
        export_adapter(tmp_path, tmp_path / "x", "ggfu")
    config = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj"]}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="--base"):
        base_of(tmp_path)


def test_what_another_program_made_is_compared(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", make_small_corpus(tmp_path / "corpus"))
    adapter = random_adapter(str(base), tmp_path / "adapter", Provenance(base_model=str(base)))
    merged = export_adapter(adapter, tmp_path / "merged", "hf", base=str(base))
    notes = ["Fever 38.9 and a cough.", "Chest pain at rest."]
    found = verify(adapter, base=str(base), exports=[merged], notes=notes, tokens=8)
    assert found.passed
    assert found.verdict.startswith("SAME: 2 of 2 forms say what the adapter says on 2 cases")
    assert "which need a GGUF base" in found.verdict
    left_out = verify(adapter, base=str(base), exports=[base], notes=notes, tokens=8)
    assert not left_out.passed
    assert left_out.verdict.startswith("DIFFERS from the adapter on 2 cases: base, torch")
    assert left_out.table().endswith(left_out.verdict)
    with pytest.raises(NotAModelError):
        verify(adapter, base=str(base), exports=[tmp_path], notes=notes, tokens=8)
    tokenizer, model, _ = load_plain(base)
    written = _all_in_torch(model, tokenizer, notes, 8)
    for one, other in zip(written, _all_in_torch(model, tokenizer, notes, 8, written), strict=True):
        assert other.said == one.said  # asked at once, or written token by token
    wrong = [replace(one, said=[*one.said[:3], 5, *one.said[4:]]) for one in written]
    asked = _all_in_torch(model, tokenizer, notes, 8, wrong)
    assert [one.said for one in asked] == [one.said[:4] for one in written]
