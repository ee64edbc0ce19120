"""Good files of every format, and what reads each: seeds of ``fuzz.py``."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as save_tensors

from dxtrace.compose import Composer
from dxtrace.corpus import open_corpus
from dxtrace.corpus.audit import audit_corpus
from dxtrace.corpus.readers.direct_taxonomy import read_direct_taxonomy
from dxtrace.corpus.split_manifest import note_sha256
from dxtrace.corpus.teaching import SPLITS
from dxtrace.evaluate import fit
from dxtrace.evaluate.judges import agreement, llm
from dxtrace.evaluate.reading import read_predictions
from dxtrace.evaluate.runner import score_evaluations
from dxtrace.evaluate.scoring import load_results
from dxtrace.files import read_json, read_jsonl
from dxtrace.models import export, float32, gguf_files, opening
from dxtrace.models.lora import LlamaShape, read_lora
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case
from dxtrace.notes.prompt import prompt_parts
from dxtrace.notes.reading import read_cases
from dxtrace.provenance import CorpusInfo, Provenance
from dxtrace.train import base, card, checkpoints, curves, measured, recipe
from dxtrace.train.publish import check_publishable
from dxtrace.view.reading import read_results

Files = dict[str, bytes]

NOTE = (
    "CC: cough\n\nHPI: 61 y/o man with fever and cough for 3 days. Denies chest pain.\n\n"
    "PE: T 39.1, crackles at the right base.\n\nLabs: WBC 16.4, lactate 1.1. CXR: right lower lobe consolidation.\n"
)

STEP = {
    "number": 1,
    "supports": "Suspected Pneumonia",
    "rationale": "Cough and fever suggest an infection.",
    "evidence": {
        "text": "fever and cough",
        "start": NOTE.index("fever"),
        "end": NOTE.index(" for 3"),
        "section": "x",
    },
}

RESULT = {
    "id": "a",
    "note": NOTE,
    "diagnosis": "Pneumonia",
    "category": "Pneumonia",
    "path": ["Suspected Pneumonia", "Pneumonia"],
    "differential": [{"diagnosis": "Pneumonia", "category": "Pneumonia", "probability": 0.7}],
    "steps": [STEP],
    "text": "FINAL DIAGNOSIS: Pneumonia",
    "timing": {"total_s": 0.1},
    "model": {"name": "m"},
}

SMALL = LlamaShape(layers=1, width=8, inner=12, heads=2, kv_heads=1, head_size=4)


def as_json(value: Any) -> bytes:
    """Return a value as JSON."""
    return json.dumps(value).encode()


def as_rows(*rows: Any) -> bytes:
    """Return values as JSON lines."""
    return b"".join(as_json(row) + b"\n" for row in rows)


@cache
def annotated() -> list[AnnotatedCase]:
    """Return three invented cases."""
    composer = Composer(0)
    return [composer.case(number) for number in range(3)]


def as_direct(case: AnnotatedCase) -> bytes:
    """Return a case in the tree form of DiReCT."""
    tree: dict[str, Any] = {}
    for number, section in enumerate(case.case.sections[:6], 1):
        tree[f"input{number}"] = case.case.note[section.start : section.end]
    step = case.gold.steps[0]  # type: ignore[union-attr]
    inner = {f"{step.rationale}$Cause_1": {f"{step.evidence.text}$Input2": {}}}
    return as_json({"Pneumonia$Intermedia_2": inner} | tree)


def adapter() -> Files:
    """Return a small adapter."""
    tensors = {}
    for name in ("q_proj", "o_proj"):
        prefix = f"base_model.model.model.layers.0.self_attn.{name}.lora_"
        tensors[f"{prefix}A.weight"] = np.ones((2, 8), np.float32)
        tensors[f"{prefix}B.weight"] = np.ones((8, 2), np.float32)
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "base_model_name_or_path": "smollm2-135m",
              "rank_pattern": {"o_proj": 2}, "alpha_pattern": {"q_proj": 8}, "bias": "none"}  # fmt: skip
    corpus = CorpusInfo("c", "c-1", "0" * 64, "Apache-2.0")
    weights = save_tensors(tensors)
    made_from = Provenance(
        (corpus,), base_model="a/b", weights_sha256=hashlib.sha256(weights).hexdigest()
    )
    return {
        "adapter_config.json": as_json(config),
        "adapter_model.safetensors": weights,
        "provenance.json": as_json(made_from.to_json()),
        "calibration.json": as_json({"temperature": 1.2, "bias": {"Pneumonia": 0.1}, "support": 0.5,
                                     "scope": {"coefficients": {"a": 1.0}, "threshold": 0.1}}),
        "README.md": b"# card\n",
    }  # fmt: skip


def small_gguf() -> bytes:
    """Return a small Llama as a GGUF file."""
    import gguf

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "small.gguf"
        writer = gguf.GGUFWriter(file, "llama")
        writer.add_context_length(64)
        writer.add_embedding_length(8)
        writer.add_block_count(1)
        writer.add_feed_forward_length(12)
        writer.add_head_count(2)
        writer.add_head_count_kv(1)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("smollm")
        writer.add_token_list(["<|end|>", "a", "b", "ab"])
        writer.add_token_types([3, 1, 1, 1])
        writer.add_token_merges(["a b"])
        writer.add_eos_token_id(0)
        writer.add_chat_template(TEMPLATE)
        writer.add_tensor("token_embd.weight", np.ones((4, 8), np.float32))
        writer.add_tensor("output_norm.weight", np.ones(8, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
            writer.add_tensor(f"blk.0.{name}.weight", np.ones(SMALL.of(name), np.float32))
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.0.{name}.weight", np.ones(8, np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return file.read_bytes()


def fhir() -> bytes:
    """Return a small FHIR bundle."""
    subject = {"reference": "Patient/1"}
    code = {"text": "Lactate", "coding": [{"code": "x", "display": "Lactate"}]}
    react = {"manifestation": [code]}
    resources = [
        {"resourceType": "Patient", "id": "1", "gender": "male", "birthDate": "1960-01-02"},
        {"resourceType": "Condition", "subject": subject, "code": code, "clinicalStatus": code},
        {"resourceType": "Observation", "subject": subject, "code": code, "effectiveDateTime": "2024-01-02",
         "valueQuantity": {"value": 4.1, "unit": "mmol/L"}, "referenceRange": [{"low": {"value": 0}}],
         "interpretation": [code], "component": [{"code": code, "valueString": "x"}]},
        {"resourceType": "DocumentReference", "subject": subject, "type": code,
         "content": [{"attachment": {"contentType": "text/html", "data": "PHA+Y291Z2g8L3A+"}}]},
        {"resourceType": "Composition", "subject": subject, "section": [{"title": "HPI", "text": {"div": "<p>x</p>"}}]},
        {"resourceType": "AllergyIntolerance", "patient": subject, "code": code, "reaction": [react]},
        {"resourceType": "DiagnosticReport", "subject": subject, "code": code, "conclusion": "clear"},
    ]  # fmt: skip
    return as_json({"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]})


def parquet() -> bytes:
    """Return two rows of MedCaseReasoning's form."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    row = {
        "case_prompt": NOTE,
        "diagnostic_reasoning": '1. "fever"',
        "final_diagnosis": "Pneumonia",
    }
    rows = [{"pmcid": "P1"} | row, {"pmcid": "P2"} | row]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def read_note(folder: Path) -> None:
    """Read what may be one note or many."""
    for file in folder.iterdir():
        for case in read_cases(file):
            if isinstance(case, Case):
                _ = case.note.encode()


def read_corpus(folder: Path) -> None:
    """Open and audit a corpus; its cases can be written."""
    one = next(iter(folder.iterdir()))
    target = one if len(list(folder.iterdir())) == 1 else folder
    corpus = open_corpus(str(target), allow_empty=True)
    audit_corpus(corpus)
    for case in corpus.cases:
        as_json(case.to_json()).decode()


def read_split_corpus(folder: Path) -> None:
    """Open a split whose manifest names the corpus beside it."""
    file = folder / "split.json"
    file.write_bytes(file.read_bytes().replace(b"PATH", str(folder / "x.jsonl").encode()))
    audit_corpus(open_corpus(f"split:{folder}:train"))


def read_teaching_corpus(folder: Path) -> None:
    """Open a teaching corpus whose manifest knows the damaged rows."""
    file = folder / "manifest.json"
    digest = hashlib.sha256((folder / "dev.jsonl").read_bytes()).hexdigest()
    file.write_bytes(file.read_bytes().replace(b"0" * 64, digest.encode()))
    corpus = open_corpus(f"teaching:{folder}:dev")
    audit_corpus(corpus)


def score_predictions(folder: Path) -> None:
    """Score predictions and write the report."""
    from dxtrace.evaluate.judges import open_judge
    from dxtrace.evaluate.report.html_report import html_report
    from dxtrace.evaluate.report.markdown import markdown_table
    from dxtrace.evaluate.runner import Settings, report_data
    from dxtrace.evaluate.scoring import Judges, Scored, score_cases

    cases = {"a": gold_case(), "b": replace(gold_case(), case=Case.from_text(NOTE, "b"))}
    (target,) = folder.iterdir()
    answers = read_predictions(target, cases)
    judges = Judges(open_judge("lexical"), open_judge("lexical"))
    results = score_cases(answers, list(cases.values()), judges)
    system = Scored("s", results, answers)
    data = report_data([system], Settings(judges=judges.to_json(), resamples=10))
    as_json(data)
    html_report(data, [system], cases).encode()
    markdown_table(data).encode()


@cache
def gold_case() -> AnnotatedCase:
    """Return the case of the predictions."""
    from dxtrace.chain import Chain

    return AnnotatedCase(Case.from_text(NOTE, "a"), Chain.from_json(RESULT), "p", {})


def read_run(folder: Path) -> None:
    """Read a run as resuming, finishing and publishing do."""
    curves.read_metrics(folder)
    checkpoints.cut_metrics(folder / "metrics.jsonl", 2)
    checkpoints.is_whole(folder / "checkpoint-2")
    loaded = recipe.load_recipe(folder / "recipe.yaml")
    measures = [measured.read_evaluation(folder / "evaluation.json")]
    made = Provenance.from_json(read_json(folder / "provenance.json"))
    card.write_card(folder, loaded, made, curves.read_metrics(folder), None, measures)


def read_adapter(folder: Path) -> None:
    """Read an adapter in every way that there is."""
    read_lora(folder, SMALL)
    export.base_of(folder)
    calibration = opening.read_calibration(folder)
    assert abs(sum(calibration.apply(["Pneumonia", "Asthma"], [0.3, 0.7])) - 1) < 1e-6
    check_publishable(folder)
    chosen = recipe.load_recipe(
        "smollm2-135m-cpu", [f"base.adapter={folder}", "lora.rank=2", "lora.alpha=4"]
    )
    base.find_start(chosen)


def read_gguf(folder: Path) -> None:
    """Convert a model, an adapter merged in."""
    file = folder / "model.gguf"
    float32.obstacle(file)
    gguf_files.rewrite(file, folder / "out.gguf", "F16")
    float32.prepared(file, "0" * 64, folder / "kept")
    export.modelfile(file)


def read_template(folder: Path) -> None:
    """Fill a chat template."""
    prompt_parts((folder / "template.jinja").read_bytes().decode("utf-8", "replace"), "cough")


def read_judge_files(folder: Path) -> None:
    """Read labelled pairs, a judge's cache, and pairs of the fit."""
    llm._read_cache(folder / "cache.jsonl")
    fit.read_pairs([line.parse() for line in read_jsonl(folder / "fit.jsonl")])
    agreement.read_pairs(folder / "pairs.jsonl")


@dataclass(frozen=True)
class Reader:
    """Good files, and what reads them."""

    files: Callable[[], Files]
    read: Callable[[Path], object]


def readers() -> dict[str, Reader]:
    """Return every reader by name."""
    whole = as_json(RESULT)
    step = {"evidence": "fever", "rationale": "r"}
    row = {"id": "a", "patient": "p", "note": NOTE, "diagnosis": "NSTEMI", "steps": [step]}
    sections = {"id": "a", "sections": {"cc": "cough", "hpi": "fever"}}
    evaluation = {"chain_gt": ["Pneumonia"], "chain_pred": ["Pneumonia"], "ob_record_paired": {}, "len_ob_gt": 1,
                  "len_ob_pred": 1, "ob_wo_rationale": [], "case_accuracy": 1}  # fmt: skip
    info = {"name": "n", "id": "i", "sha256": "0", "licence": "l", "credentialed": False}
    manifest = {
        "corpus": info,
        "splits": {name: {"sha256": "0" * 64} for name in SPLITS},
    }
    agentclinic = Path(__file__).parents[1] / "tests" / "data" / "agentclinic.jsonl"
    return {
        "note": Reader(lambda: {"a.txt": NOTE.encode()}, read_note),
        "case": Reader(
            lambda: {"a.json": as_json(sections)},
            read_note,
        ),
        "cases": Reader(
            lambda: {"a.jsonl": as_rows(row, {"note": NOTE}, {"text": "cough"})}, read_note
        ),
        "rows": Reader(lambda: {"a.jsonl": as_rows(row, annotated()[0].to_json())}, read_corpus),
        "direct": Reader(lambda: {"a.json": as_direct(annotated()[0])}, read_corpus),
        "teaching": Reader(
            lambda: {
                "manifest.json": as_json(manifest),
                "train.jsonl": b"",
                "dev.jsonl": as_rows(annotated()[0].to_json()),
            },
            read_teaching_corpus,
        ),
        "split": Reader(
            lambda: {
                "split.json": as_json(
                    {
                        "source": {"kind": "jsonl", "path": "PATH"},
                        "splits": {"train": {"a": note_sha256(gold_case())}},
                    }
                ),
                "x.jsonl": as_rows(gold_case().to_json()),
            },
            read_split_corpus,
        ),
        "agentclinic": Reader(lambda: {"a.jsonl": agentclinic.read_bytes()[:20_000]}, read_corpus),
        "parquet": Reader(lambda: {"a.parquet": parquet()}, read_corpus),
        "table": Reader(
            lambda: {"a.csv": b'id,patient,note,diagnosis\n1,p,"CC: cough\nfever",Pneumonia\n'},
            read_corpus,
        ),
        "fhir": Reader(lambda: {"a.json": fhir()}, read_corpus),
        "predictions": Reader(
            lambda: {"p.jsonl": as_rows(RESULT, RESULT | {"id": "b"})}, score_predictions
        ),
        "stored": Reader(
            lambda: {"r.jsonl": as_rows({"key": "k", "result": stored_result()})},
            lambda folder: [one.to_json() for one in load_results(folder / "r.jsonl")],
        ),
        "evaluations": Reader(lambda: {"Pneumonia/a.json": as_json(evaluation)}, score_evaluations),
        "view": Reader(
            lambda: {"v.json": whole, "w.jsonl": as_rows(RESULT, annotated()[1].to_json())}, render
        ),
        "judges": Reader(
            lambda: {
                "cache.jsonl": as_rows({"key": "k", "yes": 0.5}),
                "pairs.jsonl": as_rows({"one": "a", "other": "b", "same": True, "kind": "k"}),
                "fit.jsonl": as_rows(
                    {"case": "a", "start": 0, "end": 3, "premise": "p", "label": "good"}
                ),
            },
            read_judge_files,
        ),
        "recipe": Reader(
            lambda: {"r.yaml": recipe.to_yaml(recipe.load_recipe("smollm2-135m-cpu")).encode()},
            lambda folder: recipe.load_recipe(folder / "r.yaml"),
        ),
        "changes": Reader(lambda: {"c": b"optimiser.learning_rate=1e-3"}, change_recipe),
        "run": Reader(run_folder, read_run),
        "adapter": Reader(adapter, read_adapter),
        "gguf": Reader(lambda: {"model.gguf": small_gguf()}, read_gguf),
        "template": Reader(lambda: {"template.jinja": TEMPLATE.encode()}, read_template),
        "taxonomy": Reader(
            lambda: {
                "Pneumonia.json": as_json(
                    {"diagnostic": {"Suspected Pneumonia": {"Pneumonia": []}}}
                )
            },
            read_direct_taxonomy,
        ),
        "spec": Reader(lambda: {"c": f"agentclinic:{agentclinic}".encode()}, open_spec),
    }


TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] | trim }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def stored_result() -> dict[str, Any]:
    """Return a result of one case as it is stored."""
    from dxtrace.evaluate.judges import open_judge
    from dxtrace.evaluate.reading import Answers
    from dxtrace.evaluate.scoring import Judges, score_cases

    judge = open_judge("lexical")
    return score_cases(Answers("s"), [gold_case()], Judges(judge, judge))[0].to_json()


def run_folder() -> Files:
    """Return what a run leaves."""
    chosen = recipe.to_yaml(recipe.load_recipe("smollm2-135m-cpu")).encode()
    return {
        "recipe.yaml": chosen,
        "metrics.jsonl": as_rows(
            {"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.5, "dev_loss": 1.6}
        ),
        "evaluation.json": as_json({"acc_diag": 0.5, "name": "x"}),
        "provenance.json": as_json(Provenance().to_json()),
        "checkpoint-2/trainer_state.json": as_json({"global_step": 2}),
        "checkpoint-2/adapter_model.safetensors": save_tensors({"a": np.ones(2, np.float32)}),
    }


def change_recipe(folder: Path) -> None:
    """Change a recipe as ``--set`` does."""
    recipe.load_recipe("smollm2-135m-cpu", [(folder / "c").read_bytes().decode("utf-8", "replace")])


def open_spec(folder: Path) -> None:
    """Open a corpus by what a user types."""
    open_corpus((folder / "c").read_bytes().decode("utf-8", "replace"))


def render(folder: Path) -> None:
    """Show results on a page."""
    from dxtrace.view import library, page

    found = read_results([folder])
    for one in found.answered:
        page(one).encode()
    library(found.answered).encode()
