"""What was made from credentialed data says so: rows, pages, exports, answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gguf
import pytest
from safetensors.numpy import load_file, save_file
from support import DATA
from support.cases import SHORT
from support.commands import run

from dxtrace.chain import Chain, ModelInfo, Span, Step
from dxtrace.corpus import open_corpus
from dxtrace.corpus.answer_cases import answer_row
from dxtrace.corpus.readers.jsonl import write_jsonl
from dxtrace.corpus.systems import Identity, System
from dxtrace.errors import InputError
from dxtrace.evaluate.reading import read_predictions
from dxtrace.models import store
from dxtrace.models.export import write_lora_gguf
from dxtrace.models.opening import read_calibration, says_credentialed, shipped_adapter
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case
from dxtrace.provenance import (
    CREDENTIALED_RULE,
    GGUF_PROVENANCE,
    NO_LICENCE,
    WEIGHTS,
    CorpusInfo,
    Provenance,
    read_provenance,
    sha256_of,
)
from dxtrace.train.prepared import _origin
from dxtrace.train.publish import check_publishable
from dxtrace.train.recipe import Base

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
    made_from = replace(read_provenance(adapter), marked_credentialed=credentialed)
    (adapter / "provenance.json").write_text(json.dumps(made_from.to_json()))
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
    assert read_calibration(file) == read_calibration(adapter)
    assert read_calibration(file).support > 0


@pytest.fixture
def credentialed_adapter(tmp_path: Path) -> Path:
    """An adapter that its record says was made from credentialed data."""
    shipped = shipped_adapter("smollm2-135m")
    assert shipped is not None
    folder = tmp_path / "closed"
    shutil.copytree(shipped, folder)
    weights = load_file(folder / WEIGHTS)
    first = next(iter(weights))
    save_file(weights | {first: weights[first] * 2}, folder / WEIGHTS)
    made_from = replace(
        read_provenance(shipped),
        marked_credentialed=True,
        weights_sha256=sha256_of(folder / WEIGHTS),
    )
    (folder / "provenance.json").write_text(json.dumps(made_from.to_json()))
    return folder


def edit(folder: Path, **changes: object) -> None:
    file = folder / "provenance.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def without_record(folder: Path) -> None:
    (folder / "provenance.json").unlink()


def with_the_record_of_another(folder: Path) -> None:
    shipped = shipped_adapter("smollm2-135m")
    assert shipped is not None
    shutil.copy(shipped / "provenance.json", folder)


def with_the_mark_edited(folder: Path) -> None:
    edit(folder, credentialed=False)


def with_the_mark_and_the_seal_removed(folder: Path) -> None:
    edit(folder, credentialed=False, seal="")


def with_weights_saved_again(folder: Path) -> None:
    with_the_record_of_another(folder)
    save_file(load_file(folder / WEIGHTS), folder / WEIGHTS, {"format": "pt"})


def with_another_hash_in_the_record(folder: Path) -> None:
    with_the_record_of_another(folder)
    edit(folder, weights_sha256=sha256_of(folder / WEIGHTS))


def renamed(folder: Path) -> None:
    without_record(folder)
    (folder / WEIGHTS).rename(folder / "weights.safetensors")
    (folder / "weights.safetensors").rename(folder / WEIGHTS)


@pytest.mark.parametrize(
    "trick",
    [
        without_record,
        with_the_record_of_another,
        with_the_mark_edited,
        with_the_mark_and_the_seal_removed,
        with_weights_saved_again,
        with_another_hash_in_the_record,
        renamed,
    ],
)
def test_no_trick_makes_an_adapter_publishable(
    credentialed_adapter: Path,
    trick: Callable[[Path], None],
) -> None:
    trick(credentialed_adapter)
    assert read_provenance(credentialed_adapter).credentialed
    with pytest.raises(InputError, match=r"not shared|what it was made from"):
        check_publishable(credentialed_adapter)


def test_the_shipped_adapter_may_be_published(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    assert check_publishable(folder)
    made_from = replace(read_provenance(folder), base_model=str(tmp_path))
    (folder / "provenance.json").write_text(json.dumps(made_from.to_json()))
    with pytest.raises(InputError, match="a file of your own"):
        check_publishable(folder)


def test_an_adapter_from_rows_without_a_licence_is_not_published(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    own = CorpusInfo("rows", "rows", "ab", NO_LICENCE)
    made_from = read_provenance(folder).joined(Provenance(corpora=(own,)))
    (folder / "provenance.json").write_text(json.dumps(made_from.to_json()))
    with pytest.raises(InputError, match="'rows' states no licence"):
        check_publishable(folder)


@pytest.mark.parametrize("name", ["README.md", "calibration.json"])
def test_a_link_is_not_published(tmp_path: Path, name: str) -> None:
    folder = copied(tmp_path)
    (folder / name).unlink()
    (folder / name).symlink_to(DATA / "agentclinic.jsonl")
    with pytest.raises(InputError, match="a link is not shared"):
        check_publishable(folder)


def test_a_base_of_ones_own_files_is_not_known_by_the_name_of_another(tmp_path: Path) -> None:
    merged = tmp_path / "merged"
    merged.mkdir()
    name = "owner/base"
    assert _origin(Base(model=str(merged), hub_id=name), "ab") == str(merged.resolve())
    assert _origin(Base(model=name), None) == name
    known = store.PACKAGED[0]
    assert _origin(Base(model=known.name, hub_id=name), known.sha256) == name


def test_rows_put_together_keep_the_mark_of_each(tmp_path: Path) -> None:
    cases = {name: AnnotatedCase(CASE, chain(False), name, {}) for name in ("open", "closed")}
    rows = []
    for name, marked in (("open", False), ("closed", True)):
        system = System(Identity("m"), lambda _, marked=marked: chain(marked))
        rows.append(json.dumps(answer_row(system, name, cases[name])))
    (tmp_path / "all.jsonl").write_text("\n".join(rows))
    (tmp_path / "one.jsonl").write_text(rows[0])
    assert read_predictions(tmp_path / "all.jsonl", cases).credentialed
    assert not read_predictions(tmp_path / "one.jsonl", cases).credentialed


def test_rows_written_and_read_again_keep_the_mark(tmp_path: Path) -> None:
    corpus = open_corpus(f"direct:{DATA / 'direct'}")
    write_jsonl(tmp_path / "rows.jsonl", corpus.cases)
    assert open_corpus(str(tmp_path / "rows.jsonl")).info.credentialed
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "rows.jsonl")
    assert open_corpus(str(tmp_path / "link.jsonl")).info.credentialed


def copied(tmp_path: Path) -> Path:
    """Return a copy of the shipped adapter, which may be published."""
    shipped = shipped_adapter("smollm2-135m")
    assert shipped is not None
    return Path(shutil.copytree(shipped, tmp_path / "adapter"))
