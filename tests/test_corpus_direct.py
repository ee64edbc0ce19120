"""DiReCT's release: layouts, alignment, gold chain, amended notes, damaged files.

All notes here are invented.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import DATA

from dxtrace.corpus import audit as auditing
from dxtrace.corpus import load_corpus, open_corpus, read_direct, read_direct_taxonomy
from dxtrace.corpus.readers.direct_tree import keep_duplicates, read_file
from dxtrace.errors import CorpusError, KnowledgeError
from dxtrace.notes.case import Case
from dxtrace.notes.sections import SECTIONS

#: A word of every invented note: it must never stand in a message.
CANARY = "zanzibarquartz"

NOTE = {
    "input1": "Dyspnea\n",
    "input2": f"The {CANARY} patient is short of breath,\nworse when lying flat. Costs $5 a day. Feet swell.\n",
    "input3": "Insulin-dependent diabetes\n",
    "input4": "None\n",
    "input5": "JVP 12 cm. Bilateral crackles. Feet swell.\n",
    "input6": "\ufeffBNP 900. Echo: LVEF 30 %\n",
}


def tree() -> dict[str, Any]:
    """A file for HFrEF with every way in which evidence differs from its note."""
    return {
        "HFrEF$Intermedia_5": {
            "An LVEF below 40 % says HFrEF$Cause_1": {"LVEF 30 %$Input6": {}},
            "Heart Failure$Intermedia_4": {
                "Crackles are lung water #$Cause_1": {"bilateral CRACKLES$Input5": {}},
                "Strongly Suspected Heart Failure$Intermedia_3": {
                    "BNP above 35$Cause_1": {"BNP 900$Input6": {}},
                    "Suspected Heart Failure$Intermedia_2": {
                        "Orthopnea$Cause_1": {"short of breath, worse when lying flat$Input2": {}},
                        "Money$Cause_1": {"Costs $5 a day$Input2": {}},
                        "Diabetes is a risk$Cause_1": {"nsulin-dependent diabetes$Input3": {}},
                        "Edema$Cause_1": {"Feet swell$Input5": {}, "Feet swell #$Input2": {}},
                        "Lost$Cause_1": {"nobody wrote this$Input2": {}},
                    },
                },
            },
        },
        **NOTE,
    }


def write(file: Path, data: Any) -> Path:
    """Write a JSON file, its folders included."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(data if isinstance(data, str) else json.dumps(data), "utf-8")
    return file


def test_a_file_gives_its_gold_chain_with_offsets_into_the_note(tmp_path: Path) -> None:
    corpus = load_corpus("direct", write(tmp_path / "x.json", tree()))
    (case,) = corpus.cases
    assert case.gold is not None
    case.gold.verify()
    assert case.gold.diagnosis == "HFrEF"
    assert case.gold.path[0] == "Suspected Heart Failure"
    order = [case.gold.path.index(step.supports) for step in case.gold.steps]
    assert order == sorted(order), "steps run from suspicion to confirmation"
    found = {step.evidence.text: step for step in case.gold.steps}
    assert "short of breath,\nworse when lying flat" in found
    assert "Bilateral crackles" in found
    assert "Costs $5 a day" in found
    assert any("nsulin-dependent diabetes" in text for text in found)
    assert found["Bilateral crackles"].rationale == "Crackles are lung water"
    assert [p.kind for p in corpus.problems] == ["moved", "unaligned"]
    assert "x.json, observation" in corpus.problems[0].place


def test_evidence_is_looked_for_in_its_own_section_first(tmp_path: Path) -> None:
    (case,) = read_direct(write(tmp_path / "x.json", tree())).cases
    assert case.gold is not None
    sections = [
        step.evidence.section for step in case.gold.steps if step.evidence.text == "Feet swell"
    ]
    assert sorted(sections) == ["history_of_present_illness", "physical_exam"]


def test_the_same_rationale_twice_keeps_both_observations(tmp_path: Path) -> None:
    text = json.dumps(tree()).replace('"Money$Cause_1"', '"Orthopnea$Cause_1"')
    (case,) = read_direct(write(tmp_path / "x.json", text)).cases
    assert case.gold is not None
    assert sum(step.rationale == "Orthopnea" for step in case.gold.steps) == 2


@pytest.mark.parametrize(
    "place",
    [
        "samples/Heart Failure/HFrEF/sample_1.json",
        "Finished/Heart Failure/HFrEF/sample_1.json",
        "samples/Heart Failure/sample_1.json",
        "Heart Failure/HFrEF/sample_1.json",
        "mimic-iv-ext-direct/1.0.0/samples/Heart Failure/HFrEF/sample_1.json",
        "sample_1.json",
    ],
)
def test_every_layout_is_read_and_knowledge_files_are_passed_over(
    tmp_path: Path,
    place: str,
) -> None:
    write(tmp_path / place, tree())
    write(
        tmp_path / "diagnostic_kg" / "Heart Failure.json",
        {"diagnostic": {"Suspected Heart Failure": {}}},
    )
    write(tmp_path / "Gout.json", {"diagnostic": {}, "knowledge": {}})
    write(tmp_path / "__MACOSX" / "._sample_1.json", "junk")
    corpus = open_corpus(str(tmp_path))
    assert len(corpus.cases) == 1
    assert corpus.info.credentialed
    assert "PhysioNet" in corpus.info.licence
    assert not auditing.audit_corpus(corpus).conflicts


def test_the_root_is_the_diagnosis_and_a_folder_that_disagrees_is_a_conflict(
    tmp_path: Path,
) -> None:
    write(tmp_path / "samples/Heart Failure/HFpEF/a.json", tree())
    write(tmp_path / "samples/Stroke/b.json", {**tree(), "input5": "JVP 13 cm"})
    corpus = read_direct(tmp_path)
    assert {case.gold and case.gold.diagnosis for case in corpus.cases} == {"HFrEF"}
    conflicts = auditing.audit_corpus(corpus).conflicts
    folders = {conflict.labels for conflict in conflicts if conflict.what == "folder and file"}
    assert folders == {("HFpEF", "HFrEF"), ("Stroke", "Heart Failure")}


def test_amended_notes_are_marked_from_the_data_list(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        data = {**tree(), "input1": f"Dyspnea {number}"}
        write(tmp_path / f"samples/Heart Failure/HFrEF/sample_{number}.json", data)
    rows = ["Disease Category,PDD,Data Root,Whether Amended,Amended Part,Amended Content"]
    rows += [
        "Heart Failure,HFrEF,samples/Heart Failure/HFrEF/sample_1.json,Yes,input6/ Pertinent Result,LVEF",
    ]
    rows += ["Heart Failure,HFrEF,samples/Heart Failure/HFrEF/sample_2.json,No,,"]
    write(tmp_path / "data_list.csv", "\n".join(rows))
    corpus = read_direct(tmp_path)
    tags = {case.id.rsplit("_")[-1]: dict(case.tags) for case in corpus.cases}
    assert tags["1"]["amended"] == "true"
    assert tags["1"]["amended_section"] == "pertinent_results"
    assert tags["2"]["amended"] == "false"
    assert "amended" not in tags["3"]
    assert auditing.audit_corpus(corpus).amended == 1
    with pytest.raises(CorpusError, match=r"nope\.csv"):
        read_direct(tmp_path, data_list=tmp_path / "nope.csv")


def test_a_patient_comes_from_the_subject_id_or_from_an_equal_note(tmp_path: Path) -> None:
    write(tmp_path / "10000032-DS-21.json", {**tree(), "input1": "one"})
    write(tmp_path / "10000032-DS-22.json", {**tree(), "input1": "two"})
    write(tmp_path / "a.json", {**tree(), "input1": "three"})
    write(tmp_path / "b.json", {**tree(), "input1": "three"})
    write(tmp_path / "c.json", {**tree(), "input1": "four", "subject_id": 77})
    patients = {case.id: case.patient for case in read_direct(tmp_path).cases}
    assert patients["10000032-DS-21"] == patients["10000032-DS-22"] == "10000032"
    assert patients["a"] == patients["b"] == "a"
    assert patients["c"] == "77"


def test_unknown_names_are_reported_with_a_suggestion_and_keep_the_files_own_path(
    tmp_path: Path,
) -> None:
    text = json.dumps(tree())
    write(tmp_path / "a.json", text.replace("HFrEF$", "Wobbly Heart$"))
    write(
        tmp_path / "b.json",
        text.replace('"Heart Failure$', '"Haert Failure$').replace("Dyspnea", "dyspnoea"),
    )
    corpus = read_direct(tmp_path)
    one, other = corpus.cases
    assert one.gold is not None
    assert one.gold.path[-1] == "Wobbly Heart"
    assert one.gold.category == "Heart Failure"
    one.gold.verify()
    assert other.gold is not None
    assert other.gold.diagnosis == "HFrEF"
    kinds = corpus.count_problems()
    assert kinds["unknown-diagnosis"] == 1
    assert kinds["unknown-node"] == 1
    assert any("did you mean 'Heart Failure'" in str(problem) for problem in corpus.problems)


def test_nodes_by_other_spellings_are_found(tmp_path: Path) -> None:
    data = {
        "STEMI$Intermedia_4": {
            "suspected acs$Intermedia_2": {"Why$Cause_1": {"Dyspnea$Input1": {}}},
        },
        **NOTE,
    }
    (case,) = read_direct(write(tmp_path / "x.json", data)).cases
    assert case.gold is not None
    assert case.gold.diagnosis == "STEMI-ACS"
    assert case.gold.steps[0].supports == "Suspected ACS"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "bad-json"),
        (b"\xff\xfe{\x00}\x00", "unreadable"),
        (b'{"a": ', "bad-json"),
        (b"[1, 2]", "bad-shape"),
        (b"NaN", "bad-shape"),
        (b"[" * 200_000, "bad-json"),
        (b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "bad-json"),
        (b"1" * 10_000, "bad-json"),
        (b"{}", "bad-note"),
        (b" " * 8_000_001, "unreadable"),
        (json.dumps({**tree(), "input2": "a\x00b"}).encode(), "bad-note"),
        (json.dumps({**tree(), "input2": "a\ud800b"}).encode(), "bad-note"),
        (json.dumps(NOTE).encode(), "no-diagnosis"),
        (
            json.dumps({**tree(), "input2": ["a", "b"], "input5": 7, "input6": None}).encode(),
            "bad-shape",
        ),
        (json.dumps({**NOTE, "HFrEF$Intermedia_2": float("nan")}).encode(), "bad-shape"),
        (json.dumps({**NOTE, "HFrEF$Intermedia_2": {"x$Input2": {}}}).encode(), "bad-shape"),
        (
            json.dumps({**NOTE, "HFrEF$Intermedia_2": {"x$Cause_1": {"y$Cause_1": {}}}}).encode(),
            "bad-shape",
        ),
        (
            json.dumps(
                {**NOTE, "HFrEF$Intermedia_2": {"x$Cause_1": {"Dyspnea$Input9": {}}}},
            ).encode(),
            "section",
        ),
        (json.dumps({**NOTE, "HFrEF$Intermedia_2": {"x$Cause_1": {}}}).encode(), "bad-shape"),
        (json.dumps({**tree(), "HFpEF$Intermedia_2": {}}).encode(), "bad-shape"),
        (json.dumps({**NOTE, "Suspected Stroke$Intermedia_2": {}}).encode(), "no-diagnosis"),
    ],
)
def test_what_is_wrong_with_a_file_is_named_with_its_place_and_the_rest_still_loads(
    tmp_path: Path,
    content: bytes,
    kind: str,
) -> None:
    (tmp_path / "broken.json").write_bytes(content)
    write(tmp_path / "good.json", tree())
    corpus = read_direct(tmp_path)
    assert "good" in {case.id for case in corpus.cases}
    found = [p for p in corpus.problems if "broken.json" in p.place]
    assert kind in {problem.kind for problem in found}
    assert not any(CANARY in str(problem) for problem in found)


def test_a_corpus_of_nothing_usable_says_so(tmp_path: Path) -> None:
    write(tmp_path / "broken.json", "junk")
    with pytest.raises(CorpusError, match=r"no usable case; 1 problems, the first: .*broken\.json"):
        open_corpus(f"direct:{tmp_path}")
    with pytest.raises(CorpusError, match="no such file"):
        read_direct(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="corpus split"):
        read_direct(tmp_path, split="train")


def mutated(rng: random.Random) -> bytes:
    """Return a file with one to four things broken."""
    # Without the observation that nobody wrote: a file that is whole has no problem.
    data: Any = json.loads(json.dumps(tree()).replace("nobody wrote this", "Feet swell"))
    for _ in range(rng.randint(1, 4)):
        data = _broken(data, rng)
    content = json.dumps(data).encode()
    if rng.random() < 0.2:
        at = rng.randrange(len(content))
        content = (
            content[:at]
            + bytes(rng.randrange(256) for _ in range(rng.randint(1, 5)))
            + content[at + 3 :]
        )
    if rng.random() < 0.1:
        content = content.decode("utf-8", "replace").encode(
            rng.choice(["utf-16", "utf-8-sig", "utf-32"]),
        )
    return content[: rng.randrange(len(content))] if rng.random() < 0.1 else content


_JUNK: list[Any] = [
    None,
    0,
    -1,
    1e400,
    float("nan"),
    True,
    "",
    "$",
    "a$b$Cause_1",
    [],
    ["x", 1],
    {},
    {"": {}},
    {"$Cause_1": {}},
    {"x$Input7": {}},
    {"x$Input" + "9" * 5000: {}},
    "\ud800",
    "\x00",
    "x" * 100_000,
    [[]],
    {"$": {"$": {"$": []}}},
    {"x$Intermedia_2": {"x$Intermedia_2": {"x$Intermedia_2": {}}}},
    {"x$Cause_1": {"y$Input2": {"z$Cause_1": {}}}},
]


def _broken(data: Any, rng: random.Random) -> Any:
    """Return a copy with one place changed: a key lost, renamed or added, or a value replaced."""
    if not isinstance(data, dict) or not data or rng.random() < 0.15:
        return rng.choice(_JUNK)
    copy = dict(data)
    key = rng.choice(list(copy))
    way = rng.random()
    if way < 0.5:
        copy[key] = _broken(copy[key], rng)
    elif way < 0.65:
        del copy[key]
    elif way < 0.85:
        mark = rng.choice(["$", "", "$Cause_1", "$Intermedia_x", " #", "$Input3", "\ud800$Cause_1"])
        copy[rng.choice([key + mark, key.replace("$", "", 1), key[::-1], key.upper()])] = copy.pop(
            key,
        )
    else:
        copy[rng.choice(["x", "input2", "HFrEF$Intermedia_1", "$", "x$Cause_1"])] = rng.choice(
            _JUNK,
        )
    return copy


def test_a_thousand_mutated_files_load_or_are_named_and_never_crash(tmp_path: Path) -> None:
    rng = random.Random(7)
    for number in range(1000):
        (tmp_path / f"f{number:04}.json").write_bytes(mutated(rng))
    corpus = read_direct(tmp_path)
    for case in corpus.cases:
        if case.gold is not None:
            case.gold.verify()
    loaded = {case.id for case in corpus.cases}
    blamed = {
        place.split(".json")[0].rsplit("/", 1)[-1]
        for place in (problem.place for problem in corpus.problems)
    }
    assert not {f"f{number:04}" for number in range(1000)} - loaded - blamed
    assert {case.id for case in corpus.cases if case.gold is None} <= blamed
    assert all(".json" in problem.place and problem.message for problem in corpus.problems)
    assert not any(
        CANARY in str(problem) or "lying flat" in str(problem) for problem in corpus.problems
    )
    assert 700 < len(blamed) < 1000
    auditing.audit_corpus(corpus)


_KEYS = st.one_of(
    st.text(max_size=12),
    st.builds(
        lambda text, kind: f"{text}${kind}",
        st.text(max_size=12),
        st.sampled_from(
            ["Intermedia_2", "Intermedia", "Cause_1", "Input1", "Input6", "Input0", "input2", "X"],
        ),
    ),
    st.sampled_from(
        [
            "input1",
            "input2",
            "Input3",
            "HFrEF$Intermedia_5",
            "Suspected Heart Failure$Intermedia_2",
        ],
    ),
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=25,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(_KEYS, _VALUES, max_size=6))
def test_any_json_object_is_read_without_an_exception(
    tmp_path_factory: pytest.TempPathFactory,
    data: Any,
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_text(json.dumps(data), "utf-8")
    corpus = read_direct(file)
    assert corpus.cases or corpus.problems
    for case in corpus.cases:
        if case.gold is not None:
            case.gold.verify()


_WORDS = st.text(alphabet="abcdeABC ,.$#%0129\n", min_size=1, max_size=25)


@settings(max_examples=100, deadline=None)
@given(st.lists(_WORDS, min_size=1, max_size=6), st.data())
def test_verbatim_evidence_is_always_placed_on_its_own_text(
    lines: list[str],
    data: st.DataObject,
) -> None:
    sections = dict(zip(SECTIONS, lines, strict=False))
    observations = []
    for number, line in enumerate(lines, 1):
        start = data.draw(st.integers(0, len(line) - 1))
        piece = line[start : data.draw(st.integers(start + 1, len(line)))]
        kept = line.strip("\r\n")
        if (
            piece.strip()
            and piece in kept
            and re.search(rf"(?<![^\s,.]){re.escape(piece.strip())}(?![^\s,])", kept)
            and kept.strip().lower() != "none"
            and not piece.rstrip().endswith("#")
        ):
            observations.append((piece, number))
    tree = {
        f"why {i}$Cause_1": {f"{piece}$Input{n}": {}} for i, (piece, n) in enumerate(observations)
    }
    parsed = read_file({"HFrEF$Intermedia_2": tree}, "x")
    assert [o.text for o in parsed.observations] == [piece for piece, _ in observations]
    if not observations:
        return
    from dxtrace.corpus.align import RawStep, build_gold

    case = Case.from_sections(sections)
    steps = [RawStep(o.text, o.rationale, None, o.section) for o in parsed.observations]
    chain, problems = build_gold(case, ("S", "D"), "C", steps, "x")
    assert [problem for problem in problems if problem.kind == "unaligned"] == []
    assert [step.evidence.text for step in chain.steps] == [
        piece.strip() for piece, _ in observations
    ]
    chain.verify()


def test_a_duplicate_key_is_kept() -> None:
    data = json.loads(
        '{"a$Cause_1": 1, "a$Cause_1": 2, "x": 3, "x": 4}',
        object_pairs_hook=keep_duplicates,
    )
    assert data == {"a$Cause_1": 1, "a #$Cause_1": 2, "x": 3, "x #": 4}


def test_the_authors_knowledge_makes_a_taxonomy(tmp_path: Path) -> None:
    write(
        tmp_path / "Heart Failure.json",
        {"diagnostic": {"Suspected Heart Failure": {"HFrEF": [], "Odd": []}}},
    )
    write(tmp_path / "Gout.json", {"Suspected Gout": ["Acute Gout", "Chronic Gout"]})
    taxonomy = read_direct_taxonomy(tmp_path)
    assert [node.name for node in taxonomy.diagnoses] == [
        "Acute Gout",
        "Chronic Gout",
        "HFrEF",
        "Odd",
    ]
    assert taxonomy.find("systolic heart failure").name == "HFrEF", (
        "our aliases are known there too"
    )
    corpus = load_corpus("direct", write(tmp_path / "n" / "x.json", tree()), taxonomy=taxonomy)
    assert corpus.cases[0].gold is not None
    assert corpus.cases[0].gold.path == ("Suspected Heart Failure", "HFrEF")


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"diagnostic": []}', '{"a": {"b": 3}}', '{"a": {}, "b": {}}', '{"": {}}'],
)
def test_a_damaged_knowledge_file_is_named(tmp_path: Path, content: str) -> None:
    file = write(tmp_path / "Gout.json", content)
    with pytest.raises(KnowledgeError, match=r"Gout\.json"):
        read_direct_taxonomy(file)
    with pytest.raises(CorpusError, match="no knowledge file"):
        read_direct_taxonomy(tmp_path / "none")


def test_files_in_the_authors_own_form_load_without_a_problem() -> None:
    corpus = open_corpus(str(DATA / "direct"))
    assert not corpus.problems
    assert [len(case.gold.steps) for case in corpus.cases if case.gold] == [8, 6]
    named = {case.gold.diagnosis for case in corpus.annotated if case.gold}
    assert named == {"HFrEF", "Bacterial Pneumonia"}
    for file in ("Heart Failure.json", "Tuberculosis.json"):
        assert read_direct_taxonomy(DATA / "direct" / file).diagnoses
