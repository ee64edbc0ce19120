"""Opening corpora by name and by path: our rows, anybody's rows, AgentClinic, MedCaseReasoning,
splits.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import DATA
from support.commands import run

from dxtrace.chain import Chain, Span, Step
from dxtrace.corpus import (
    NAMES,
    Corpus,
    load_corpus,
    make_corpus,
    open_corpus,
    read_jsonl,
    write_jsonl,
    write_split,
)
from dxtrace.corpus.align import find_diagnosis
from dxtrace.corpus.readers.agentclinic import render
from dxtrace.corpus.readers.medcasereasoning import Clauses, read_reasoning
from dxtrace.errors import CorpusError, DxtraceError, UnknownName
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case

NOTE = (
    "HPI: 61M with crushing chest pain. Denies fever.\n\nLabs: Troponin T 2.1. Repeat troponin 3.0."
)


def lines(path: Path, *rows: Any) -> Path:
    """Write rows (or raw lines) to a JSONL file."""
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows),
        "utf-8",
    )
    return path


def row(**changes: Any) -> dict[str, Any]:
    """A row as anybody may write it."""
    steps = [{"evidence": "troponin t  2.1", "rationale": "Necrosis", "supports": "NSTEMI"}]
    return {"id": "a", "note": NOTE, "diagnosis": "NSTEMI", "steps": steps} | changes


@pytest.fixture(scope="module")
def teaching(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "teaching"
    make_corpus(12, 3, folder)
    return folder


def test_the_teaching_corpus_opens_whole_or_by_split_and_without_its_name(teaching: Path) -> None:
    whole = open_corpus(str(teaching))
    train = open_corpus(f"teaching:{teaching}:train")
    assert len(whole.cases) > len(train.cases) > 0
    assert {case.tags["split"] for case in train.cases} == {"train"}
    assert train.info.id == f"{whole.info.id}:train"
    assert train.info.sha256 != whole.info.sha256
    assert open_corpus(f"{teaching}:train").info == train.info
    assert not whole.info.credentialed
    assert whole.annotated == whole.cases
    with pytest.raises(UnknownName, match="did you mean 'train'"):
        open_corpus(f"{teaching}:trian")


def test_our_rows_come_back_as_they_were(teaching: Path, tmp_path: Path) -> None:
    cases = open_corpus(f"{teaching}:train").cases
    file = tmp_path / "deep" / "copy.jsonl"
    assert write_jsonl(file, cases) == len(cases)
    again = open_corpus(str(file))
    assert again.cases == cases
    assert not again.problems
    assert not list(file.parent.glob("*.part"))


def test_anybodys_row_gets_offsets_path_and_order(tmp_path: Path) -> None:
    steps = [
        {"evidence": "troponin t  2.1", "rationale": "Necrosis", "supports": "NSTEMI"},
        {
            "evidence": {"text": "chest pain", "start": 23, "end": 33},
            "rationale": "Typical",
            "supports": "suspected acs",
        },
        {
            "evidence": {"text": "Repeat troponin 3.0", "start": 1, "end": 3},
            "rationale": "It rises",
        },
        {"observation": "never written", "rationale": "?"},
    ]
    corpus = read_jsonl(
        lines(tmp_path / "x.jsonl", row(steps=steps, patient=7, tags={"ward": 3, "odd": [1]})),
    )
    (case,) = corpus.cases
    assert case.gold is not None
    case.gold.verify()
    assert case.gold.path == ("Suspected ACS", "Strongly Suspected ACS", "NSTE-ACS", "NSTEMI")
    said = [(step.supports, step.evidence.text) for step in case.gold.steps]
    assert said == [
        ("Suspected ACS", "chest pain"),
        ("NSTEMI", "Troponin T 2.1"),
        ("NSTEMI", "Repeat troponin 3.0"),
    ]
    assert case.patient == "7"
    assert case.tags == {"ward": "3"}
    moved, unaligned = corpus.problems
    assert (moved.kind, moved.place.rsplit("/")[-1]) == ("moved", "x.jsonl, line 1, observation 3")
    assert (unaligned.kind, unaligned.place.rsplit("/")[-1]) == (
        "unaligned",
        "x.jsonl, line 1, observation 4",
    )


def test_sections_own_trees_and_unannotated_rows(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "x.jsonl",
        {"sections": {"HPI": "cough", "Labs": ["WBC 12", "CRP 90"]}},
        row(id="own", diagnosis="Gout", category="Joints", path=["Suspected Gout", "Gout"]),
        row(id="far", diagnosis="Zorbitis"),
    )
    corpus = read_jsonl(file)
    plain, own, far = corpus.cases
    assert plain.gold is None
    assert plain.id == plain.patient == "x-1"
    assert "WBC 12\nCRP 90" in plain.case.note
    assert own.gold is not None
    assert (own.gold.category, own.gold.path) == ("Joints", ("Suspected Gout", "Gout"))
    assert [p.kind for p in corpus.problems if "line 2" in p.place] == ["off-path"]
    assert far.gold is None
    assert far.tags["diagnosis"] == "Zorbitis"
    assert corpus.count_problems()["unknown-diagnosis"] == 1


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("junk", "bad-json"),
        ('{"note": "a', "bad-json"),
        ("[" * 100_000, "bad-json"),
        ("3", "bad-shape"),
        ('{"diagnosis": "NSTEMI"}', "bad-shape"),
        ('{"note": ""}', "bad-shape"),
        ('{"note": 3}', "bad-shape"),
        ('{"note": "a\\u0000b"}', "bad-shape"),
        ('{"note": "pain", "diagnosis": 3}', "bad-shape"),
        ('{"note": "pain", "diagnosis": "NSTEMI", "steps": 3}', "bad-shape"),
        ('{"note": "pain", "diagnosis": "NSTEMI", "steps": [3]}', "bad-shape"),
        ('{"note": "pain", "diagnosis": "NSTEMI", "steps": [{"evidence": 3}]}', "bad-shape"),
        (
            '{"note": "pain", "diagnosis": "NSTEMI", "steps": [{"evidence": " ", "rationale": "x"}]}',
            "unaligned",
        ),
    ],
)
def test_errors_name_the_line_and_the_rest_loads(tmp_path: Path, line: str, kind: str) -> None:
    corpus = read_jsonl(lines(tmp_path / "x.jsonl", row(), line, row(id="b")))
    assert {"a", "b"} <= {case.id for case in corpus.cases}
    assert [problem.kind for problem in corpus.problems] == [kind]
    assert "x.jsonl, line 2" in corpus.problems[0].place


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"note": "caf\xc3\xa9"}\r\n{"note": "caf\xe9"}\n\n')
    corpus = read_jsonl(file)
    assert len(corpus.cases) == 1
    assert "line 2" in corpus.problems[0].place
    assert "UTF-8" in corpus.problems[0].message


def test_an_id_that_stands_twice_is_made_unique_and_reported(tmp_path: Path) -> None:
    corpus = read_jsonl(lines(tmp_path / "x.jsonl", row(), row(), row(id="a~2")))
    assert [case.id for case in corpus.cases] == ["a", "a~2", "a~2~2"]
    assert all(case.gold is not None and case.gold.id == case.id for case in corpus.cases)
    assert corpus.count_problems() == {"duplicate-id": 2}


def test_a_damaged_row_of_ours_is_mended_from_its_evidence(tmp_path: Path) -> None:
    span = Span("chest pain", 23, 33, "history_of_present_illness")
    case = Case.from_text(NOTE, "a")
    gold = Chain("a", NOTE, "NSTEMI", "ACS", ("S", "NSTEMI"), (Step("S", "Typical", span),))
    ours = AnnotatedCase(case, gold, "p", {}).to_json()
    ours["steps"][0]["evidence"]["start"] = 3
    corpus = read_jsonl(lines(tmp_path / "x.jsonl", ours))
    mended = corpus.cases[0].gold
    assert mended is not None
    mended.verify()
    assert mended.steps[0].evidence.text == "chest pain"


_KEYS = st.sampled_from(
    ["note", "steps", "evidence", "sections", "diagnosis", "path", "text", "start", "supports"],
)
_VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(_VALUES)
def test_any_json_line_is_read_or_named(
    tmp_path_factory: pytest.TempPathFactory,
    value: Any,
) -> None:
    file = lines(tmp_path_factory.getbasetemp() / "any.jsonl", value)
    corpus = read_jsonl(file)
    assert corpus.cases or corpus.problems
    for case in corpus.annotated:
        assert case.gold is not None
        case.gold.verify()


def test_a_row_of_ours_with_numbers_for_names_is_refused(tmp_path: Path) -> None:
    wrong = {
        "id": "w",
        "patient": "p",
        "note": NOTE,
        "sections": [],
        "tags": {},
        "diagnosis": 3,
        "category": "x",
        "path": [3],
    }
    corpus = read_jsonl(
        lines(tmp_path / "x.jsonl", wrong | {"steps": []}, row(sections=[], tags={"n": 1})),
    )
    assert [problem.kind for problem in corpus.problems] == ["bad-shape"]
    assert corpus.cases[0].tags == {"n": "1"}


def test_splits_of_rows_and_of_folders(tmp_path: Path) -> None:
    lines(tmp_path / "train.jsonl", row(), row(id="b"))
    lines(tmp_path / "test.jsonl", row(id="c"))
    assert len(open_corpus(str(tmp_path)).cases) == 3
    assert [case.id for case in open_corpus(f"{tmp_path}:test").cases] == ["c"]
    file = lines(
        tmp_path / "mixed.jsonl",
        row(split="dev"),
        row(id="d", tags={"split": "test"}),
        row(id="e"),
    )
    assert [case.id for case in open_corpus(f"jsonl:{file}:dev").cases] == ["a"]
    assert [case.id for case in open_corpus(f"{file}:test").cases] == ["d"]
    with pytest.raises(CorpusError, match="no case of the split 'hard'"):
        open_corpus(f"{file}:hard")


def test_what_cannot_be_opened_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'teaching'"):
        open_corpus("teachin:x")
    with pytest.raises(UnknownName, match="unknown corpus"):
        load_corpus("csv", tmp_path)
    with pytest.raises(CorpusError, match="no such file"):
        open_corpus("nowhere/at/all")
    with pytest.raises(CorpusError, match="what kind of corpus"):
        open_corpus(str(tmp_path))
    for name in NAMES:
        with pytest.raises(DxtraceError):
            open_corpus(f"{name}:{tmp_path}/nothing")


def test_a_path_with_a_colon_is_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "a:b"
    folder.mkdir()
    lines(folder / "x.jsonl", row())
    assert len(open_corpus(str(folder)).cases) == 1
    assert len(open_corpus(f"jsonl:{folder}/x.jsonl").cases) == 1


OSCE = {
    "OSCE_Examination": {
        "Patient_Actor": {
            "Demographics": "40-year-old man",
            "History": "Wheeze at night.",
            "Symptoms": {
                "Primary_Symptom": "Wheeze",
                "Secondary_Symptoms": ["Cough", "Tight chest"],
            },
            "Past_Medical_History": "Eczema.",
            "Social_History": "Information not provided.",
        },
        "Physical_Examination_Findings": {
            "Vital_Signs": {"Heart_Rate": "72 bpm", "BP": "120/80"},
            "Other": "Thin.",
        },
        "Test_Results": {"Spirometry": {"FEV1": 0.6, "Findings": "Reversible."}},
        "Correct_Diagnosis": "Asthma",
    },
}


def test_agentclinic_reads_as_a_note(tmp_path: Path) -> None:
    odd = {"OSCE_Examination": {**OSCE["OSCE_Examination"], "Correct_Diagnosis": "Bed bug bite"}}
    corpus = open_corpus(
        str(lines(tmp_path / "x.jsonl", OSCE, odd, "junk", {"OSCE_Examination": 3}, {"a": 1})),
    )
    case, other = corpus.cases
    note = case.case.note
    assert (
        "40-year-old man\nWheeze at night.\nPrimary symptom: Wheeze\nSecondary symptoms: Cough, Tight chest"
        in note
    )
    assert "Vital signs: Heart rate: 72 bpm; BP: 120/80\nThin." in note
    assert "Spirometry: FEV1: 0.6; Reversible" in note
    assert "not provided" not in note
    assert case.gold is None
    assert (case.tags["diagnosis"], case.tags["expected"], case.tags["expected_category"]) == (
        "Asthma",
    ) * 3
    assert "expected" not in other.tags
    assert [problem.kind for problem in corpus.problems] == ["bad-json", "bad-shape", "bad-shape"]
    with pytest.raises(CorpusError, match="nested deeper"):
        render(json.loads('{"a":' * 50 + "1" + "}" * 50))


def test_a_file_in_the_form_of_agentclinic_loads_whole() -> None:
    corpus = open_corpus(str(DATA / "agentclinic.jsonl"))
    assert len(corpus.cases) == 6
    assert not corpus.problems
    assert sum("expected" in case.tags for case in corpus.cases) == 5


@pytest.mark.parametrize(
    ("text", "node", "category"),
    [
        ("Pulmonary tuberculosis", "Tuberculosis", "Tuberculosis"),
        ("Gastroesophageal reflux disease (GERD)", "GERD", "Gastro-oesophageal Reflux Disease"),
        (
            "Hypertrophic cardiomyopathy, obstructive",
            "Hypertrophic Cardiomyopathy",
            "Cardiomyopathy",
        ),
        ("Stroke", None, "Stroke"),
        ("Bed bug bite", None, None),
        ("", None, None),
    ],
)
def test_diagnoses_in_free_text(text: str, node: str | None, category: str | None) -> None:
    found, of = find_diagnosis(text, Taxonomy.default())
    assert (found.name if found else None, of) == (node, category)


PROMPT = (
    "A 60-year-old man came with fever for 3 weeks and drenching night sweats. He denied hemoptysis. Chest CT showed "
    "cavities in the right upper lobe. Sputum was positive for acid-fast bacilli on smear."
)


def test_medcasereasoning_finds_its_evidence_again_in_the_prompt(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    reasoning = (
        '1. Mycobacteria were seen: "sputum smear was positive for acid-fast bacilli"\n'
        '2. Cavities suggest it: "Chest CT showed cavities in the right upper lobe".\n'
        '3. He bled: "he had hemoptysis"\n4. For 2 weeks: "fever for 2 weeks"\n5. Nothing is quoted here.'
    )
    rows = [
        {
            "pmcid": "P1",
            "case_prompt": PROMPT,
            "diagnostic_reasoning": reasoning,
            "final_diagnosis": "Tuberculosis",
        },
        {
            "pmcid": "P2",
            "case_prompt": "A rash.",
            "diagnostic_reasoning": "1. x",
            "final_diagnosis": "Measles",
        },
        {
            "pmcid": "P3",
            "case_prompt": None,
            "diagnostic_reasoning": "1. x",
            "final_diagnosis": "Measles",
        },
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "val-00000-of-00001.parquet")
    parquet.write_table(
        pyarrow.Table.from_pylist(rows[:1]),
        tmp_path / "test-00000-of-00001.parquet",
    )
    corpus = open_corpus(f"{tmp_path}:dev")
    known, unknown = corpus.cases
    assert known.gold is not None
    known.gold.verify()
    quotes = [step.evidence.text for step in known.gold.steps]
    assert quotes == [
        "Sputum was positive for acid-fast bacilli on smear",
        "Chest CT showed cavities in the right upper lobe",
    ]
    assert known.gold.steps[1].rationale == "Cavities suggest it"
    assert dict(unknown.tags) == {"diagnosis": "Measles", "scope": "out", "split": "dev"}
    assert [p.kind for p in corpus.problems] == ["unaligned", "bad-shape"]
    assert "2 of 4" in corpus.problems[0].message
    assert corpus.info.licence == "CC-BY-4.0"
    (tmp_path / "bad.parquet").write_bytes(b"junk")
    with pytest.raises(CorpusError, match=r"bad\.parquet"):
        load_corpus("medcasereasoning", tmp_path / "bad.parquet")


def test_a_clause_never_stands_for_the_opposite_or_for_other_numbers() -> None:
    clauses = Clauses(
        "Denies chest pain at rest. Troponin was 2.1 ng on arrival. Left leg swelling was seen.",
    )
    assert clauses.best("chest pain at rest", 0.5) is None
    assert clauses.best("troponin 3.1 ng on arrival", 0.5) is None
    found = clauses.best("arrival troponin 2.1 ng", 0.6)
    assert found is not None
    assert found.text == "Troponin was 2.1 ng on arrival"


def test_reasoning_without_numbers_or_quotes_has_no_steps() -> None:
    assert read_reasoning("") == []
    assert read_reasoning("1. Plain words.\n2. More.") == []
    (step,) = read_reasoning("1) A sign. \u201cswollen feet\u201d")
    assert (step.evidence, step.rationale) == ("swollen feet", "A sign.")


def split_corpus(tmp_path: Path) -> tuple[Corpus, Path]:
    """A corpus of 40 rows of 20 patients, in a file."""
    rows = [row(id=f"c{n}", patient=f"p{n // 2}", note=f"{NOTE} Bed {n}.") for n in range(40)]
    file = lines(tmp_path / "all.jsonl", *rows)
    return open_corpus(str(file)), file


def test_a_split_is_a_manifest_without_text_that_opens_like_a_corpus(tmp_path: Path) -> None:
    corpus, file = split_corpus(tmp_path)
    out = tmp_path / "split"
    write_split(corpus, "jsonl", str(file), out, seed=5)
    text = (out / "split.json").read_text("utf-8")
    assert "crushing" not in text
    assert "chest pain" not in text
    parts = {name: open_corpus(f"{out}:{name}") for name in ("train", "dev", "test")}
    assert sum(len(part.cases) for part in parts.values()) == 40
    assert len(open_corpus(str(out)).cases) == 40
    patients = [{case.patient for case in part.cases} for part in parts.values()]
    assert not patients[0] & patients[1] | patients[0] & patients[2] | patients[1] & patients[2]
    assert {case.tags["split"] for case in parts["dev"].cases} == {"dev"}
    again = tmp_path / "again"
    write_split(corpus, "jsonl", str(file), again, seed=5)
    assert (again / "split.json").read_text("utf-8") == text
    with pytest.raises(UnknownName):
        open_corpus(f"split:{out}:tset")


def test_a_split_notices_that_its_corpus_changed(tmp_path: Path) -> None:
    corpus, file = split_corpus(tmp_path)
    write_split(corpus, "jsonl", str(file), tmp_path / "split")
    file.write_text(file.read_text("utf-8").replace("Bed 7.", "Bed 77."), "utf-8")
    with pytest.raises(CorpusError, match="'c7' has another note"):
        open_corpus(str(tmp_path / "split"))
    (tmp_path / "split" / "split.json").write_text('{"source": {}}', "utf-8")
    with pytest.raises(CorpusError, match="not the manifest"):
        open_corpus(str(tmp_path / "split"))


def test_credentialed_rows_stay_credentialed_in_a_copy(tmp_path: Path) -> None:
    file = lines(tmp_path / "x.jsonl", row(tags={"credentialed": "true"}), row(id="b"))
    corpus = open_corpus(str(file))
    assert corpus.info.credentialed
    write_jsonl(tmp_path / "copy.jsonl", corpus.cases)
    assert open_corpus(str(tmp_path / "copy.jsonl")).info.credentialed


@pytest.mark.parametrize("content", ['[{"id": "a", "note": "x"}]', "{}", "PK\x03\x04"])
def test_what_holds_no_case_is_not_called_a_corpus(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    content: str,
) -> None:
    file = tmp_path / "direct.json"
    file.write_text(content)
    code, out, err = run(capsys, "corpus", "stats", f"direct:{file}")
    assert code == 2
    assert not out
    assert "no usable case" in err


def test_statistics_tell_of_what_could_not_be_read(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    file = lines(tmp_path / "own.jsonl", row(), "{")
    code, _, err = run(capsys, "corpus", "stats", file)
    assert code == 0
    assert "1 problems while reading" in err
