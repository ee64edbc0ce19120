"""The composer: what a reader of its corpus relies on."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxtrace.compose import STYLES, Composer
from dxtrace.compose._chart_styles import (
    ADMISSION,
    CONSULT,
    DICTATED,
    FULL_ADMISSION,
    SIX_SECTIONS,
    SIX_SECTIONS_LONG,
)
from dxtrace.compose._compile import comorbidity_groups, compiled
from dxtrace.compose._draw import draw
from dxtrace.compose._formula import evaluate
from dxtrace.compose._past import as_ordered
from dxtrace.compose._voice import Voice
from dxtrace.compose._ways import sides
from dxtrace.compose._write import wrapped
from dxtrace.compose.composer import ROUND
from dxtrace.corpus.policy import wordings_of
from dxtrace.corpus.teaching import (
    SPLITS,
    corpus_info,
    hard_size,
    make_corpus,
    read_manifest,
    read_teaching,
    story_size,
)
from dxtrace.errors import CorpusError, KnowledgeError, UnknownName
from dxtrace.knowledge import leaked_names, load, premises, written
from dxtrace.knowledge.background import WordIndex, background
from dxtrace.knowledge.rationales import fitting
from dxtrace.knowledge.schema import Says
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.knowledge.wordings import divide
from dxtrace.notes.annotated import AnnotatedCase

STORIES = {style.name for style in STYLES if style.is_story}

SOURCE = Path(__file__).parents[1] / "src"


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer(seed=11)


@pytest.fixture(scope="module")
def cases(composer: Composer) -> list[AnnotatedCase]:
    return [composer.case(number) for number in range(200)]


@pytest.fixture(scope="module")
def hard(composer: Composer) -> list[AnnotatedCase]:
    return [composer.case(number, hard=True) for number in range(80)]


def test_every_step_quotes_the_note_and_says_a_premise(
    cases: list[AnnotatedCase],
    hard: list[AnnotatedCase],
) -> None:
    for case in (*cases, *hard):
        chain = case.gold
        assert chain is not None
        chain.verify()
        assert 3 <= len(chain.steps) <= 12
        spans = [(step.evidence.start, step.evidence.end) for step in chain.steps]
        assert len(set(spans)) == len(spans)
        known = {premise.id: premise for premise in premises(chain.category)}
        for step in chain.steps:
            assert step.premise is not None
            premise = known[step.premise.id]
            assert (step.rationale in premise.rationales) and step.supports == premise.node
            assert step.premise.source == premise.source
            assert step.evidence.section == case.case.section_at(step.evidence.start)


def test_chains_run_from_suspicion_to_diagnosis(cases: list[AnnotatedCase]) -> None:
    for case in cases:
        assert case.gold is not None
        path = case.gold.path
        places = [path.index(step.supports) for step in case.gold.steps]
        assert places == sorted(places) and places[0] == 0
        if case.tags["style"] in STORIES:
            continue  # no test is told, and the path may end where it would decide
        assert places[-1] == len(path) - 1
        deciding = {premise for premise in _decisive(case.gold.category) if premise.rsplit("/")[-1]}
        assert (
            any(step.premise and step.premise.id in deciding for step in case.gold.steps)
            or len(path) == 1
        )


def _decisive(category: str) -> set[str]:
    prefix = premises(category)[0].id.split("/")[0]
    return {f"{prefix}/{finding.id}" for finding in load(category).findings if finding.decisive}


def test_the_label_never_stands_in_a_note(
    cases: list[AnnotatedCase],
    hard: list[AnnotatedCase],
) -> None:
    taxonomy = Taxonomy.default()
    for case in (*cases, *hard):
        assert case.gold is not None
        assert leaked_names(case.case.note, taxonomy.category(case.gold.category)) == []


def test_notes_are_filled_in_and_look_like_notes(
    cases: list[AnnotatedCase],
    hard: list[AnnotatedCase],
) -> None:
    for case in (*cases, *hard):
        note = case.case.note
        assert not re.search(r"[{}]| ,|\.\.(?!\.)|,\.|\bFalse\b", note), case.id
        assert not re.search(r"\b[Aa] (?:8\d|18|11)[- ](?:y|year)", note), case.id
        assert note == note.strip("\n")
        assert 35 <= len(note.split()) <= 1200


def test_everything_that_knowledge_says_can_be_filled_in(composer: Composer) -> None:
    for name, entry in composer.compiled.items():
        rng = random.Random(name)
        for target in entry.targets.values():
            voice = Voice(draw(rng, entry, target, STYLES[0], 0))
            for finding in entry.knowledge.findings:
                texts = [
                    *finding.says.all,
                    *finding.chief,
                    *((finding.lab.name, finding.lab.value) if finding.lab else ()),
                ]
                assert not any("{" in voice.filled(text) for text in texts), finding.id


def test_a_case_depends_on_seed_number_and_side_alone(
    composer: Composer,
    cases: list[AnnotatedCase],
) -> None:
    fresh = Composer(seed=11)
    assert fresh.case(17).to_json() == cases[17].to_json()
    assert fresh.case(3).to_json() == cases[3].to_json()
    assert Composer(seed=12).case(3).case.note != cases[3].case.note


@pytest.mark.slow
def test_the_same_bytes_in_every_process() -> None:
    program = (
        "import hashlib, json; from dxtrace.compose import Composer; c = Composer(5);"
        "rows = [c.case(n, hard).to_json() for hard in (False, True) for n in range(8)];"
        "print(hashlib.sha256(json.dumps(rows).encode()).hexdigest())"
    )
    hashes = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(SOURCE)}
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        hashes.add(done.stdout)
    assert len(hashes) == 1


def test_every_diagnosis_is_taught(composer: Composer) -> None:
    dealt = Counter(composer._dealt(number, 0)[1] for number in range(ROUND))
    taxonomy = Taxonomy.default()
    known = [node for name in written() for node in taxonomy.category(name).diagnoses]
    if len(written()) == len(taxonomy.categories):
        assert all(dealt[node.name] >= 8 for node in known if node.is_leaf)
    inner = {node.name for node in known if not node.is_leaf}
    assert 0.08 <= sum(dealt[name] for name in inner) / ROUND <= 0.12


def test_the_hard_test_shares_no_style_wording_or_pair_of_illnesses(composer: Composer) -> None:
    assert len([style for style in STYLES if not style.hard]) >= 10
    assert 2 <= len([style for style in STYLES if style.hard and not style.is_story]) <= 4
    groups, pairs = comorbidity_groups(), ([], [])
    for side, number in itertools.product((0, 1), range(120)):
        category, diagnosis = composer._dealt(number, side)
        entry = compiled(category)
        style = next(
            style for style in STYLES if style.hard == bool(side) and style.most_comorbidities > 4
        )
        draft = draw(random.Random(f"{side}{number}"), entry, entry.targets[diagnosis], style, side)
        present = [item.id for item in draft.comorbidities]
        for one, other in itertools.combinations(present, 2):
            assert (groups[one] == groups[other]) == bool(side)
            pairs[side].append(frozenset((one, other)))
    assert pairs[0] and pairs[1] and not set(pairs[0]) & set(pairs[1])


def test_stories_tell_of_no_test_and_every_category_has_as_many(composer: Composer) -> None:
    stories = [composer.story(number) for number in range(2 * len(written()))]
    categories: Counter[str] = Counter()
    for story in stories:
        assert story.gold is not None
        assert story.tags["split"] == "stories"
        assert wordings_of(story) == "training"
        assert "pertinent_results" not in {step.evidence.section for step in story.gold.steps}
        kinds = {finding.id: finding.kind for finding in load(story.gold.category).findings}
        told = {
            kinds[(step.premise.id).rsplit("/")[-1]] for step in story.gold.steps if step.premise
        }
        assert not told & {"lab", "imaging", "procedure"}
        categories[story.gold.category] += 1
    assert set(categories.values()) == {2}
    assert len({story.case.note for story in stories}) == len(stories)


def test_stories_are_composed_as_often_as_admission_notes() -> None:
    chart = (ADMISSION, FULL_ADMISSION, SIX_SECTIONS, SIX_SECTIONS_LONG, DICTATED, CONSULT)
    admission = sum(style.weight for style in chart)
    stories = sum(style.weight for style in STYLES if style.is_story and not style.hard)
    assert stories == pytest.approx(admission, rel=0.1)


def test_most_patients_have_other_illnesses_besides(composer: Composer) -> None:
    counts = []
    for number in range(400):
        category, diagnosis = composer._dealt(number, 0)
        entry = compiled(category)
        rng = random.Random(number)
        style = rng.choice([style for style in STYLES if not style.hard and not style.is_story])
        draft = draw(rng, entry, entry.targets[diagnosis], style, 0)
        counts.append(len(draft.comorbidities))
        assert len(draft.negatives) >= 4
    assert sum(count >= 2 for count in counts) / len(counts) >= 0.6


@pytest.mark.parametrize(
    ("found", "normal"),
    [
        (r"crackle|rales|wheez", r"CTAB|lungs (?:are|were)? ?clear|Chest is clear|no w/r/r"),
        (
            r"pitting|leg swelling|edema to",
            r"no (?:leg |pedal |LE |peripheral )?o?edema\b|not swollen",
        ),
        (r"irregularly irregular", r"\bRRR\b|regular rate|rhythm (?:are|is) regular"),
        (r"hemiparesis|hemiplegia|arm drift", r"5/5 strength|no focal (?:deficit|neuro)|non-focal"),
    ],
)
def test_normal_statements_do_not_contradict_findings(
    cases: list[AnnotatedCase],
    found: str,
    normal: str,
) -> None:
    for case in cases:
        assert case.gold is not None
        exam = [
            s.evidence.text
            for s in case.gold.steps
            if re.search(found, s.evidence.text) and "no " not in s.evidence.text
        ]
        if exam:
            assert not re.search(normal, case.case.note), case.id


def test_a_word_index_knows_beginnings_whole_words_and_phrases() -> None:
    items = background().tests
    index = WordIndex(
        [
            item.model_copy(update={"words": words})
            for item, words in zip(items, (("hepat",), ("Na",), ("chest pain",)), strict=False)
        ],
    )
    first, second, third = (item.id for item in items[:3])
    assert index.found("Hepatomegaly is felt") == {first}
    assert index.found("Na 128") == {second} and index.found("nausea") == frozenset()
    assert index.found("sharp chest pain, no hepatitis") == {first, third}


@given(st.lists(st.text(min_size=1, max_size=12), max_size=12))
def test_dividing_ways_keeps_each_on_one_side(texts: list[str]) -> None:
    train, held = divide(texts)
    assert not set(train) & set(held) and set(train) | set(held) == set(texts)
    assert divide(list(reversed(texts)))[1] == tuple(
        reversed(divide(list(dict.fromkeys(texts)))[1]),
    ) or len(
        set(texts),
    ) < len(texts)
    if len(set(texts)) > 1:
        assert train and held


@given(
    st.lists(st.text(min_size=2, max_size=9), max_size=4),
    st.lists(st.text(min_size=2, max_size=9), min_size=2, max_size=4, unique=True),
)
def test_both_sides_can_always_say_it(terse: list[str], full: list[str]) -> None:
    train, hard = sides(Says(terse=tuple(terse), full=tuple(full)))
    for register in ("terse", "full", "lay"):
        assert train.pick(random.Random(1), register)[0] in terse + full  # type: ignore[arg-type]
        assert hard.pick(random.Random(1), register)[0] in terse + full  # type: ignore[arg-type]
    for register in ("terse", "full"):
        assert not set(train.by_register[register]) & set(hard.by_register[register])  # type: ignore[index]


@given(st.text(alphabet="ab \n", max_size=300), st.integers(8, 40))
def test_wrapping_moves_no_offset(text: str, width: int) -> None:
    done = wrapped(text, width)
    assert len(done) == len(text)
    assert all(a == b or (a, b) == (" ", "\n") for a, b in zip(text, done, strict=True))


@given(st.integers(-99, 99), st.integers(1, 99), st.integers(-9, 9))
def test_formulas_are_plain_arithmetic(a: int, b: int, c: int) -> None:
    values = {"a": float(a), "b": float(b)}
    assert evaluate(f"(a + {c}) / b - -a * 0.5", values) == pytest.approx((a + c) / b + a * 0.5)


@pytest.mark.parametrize(
    "formula",
    ["__import__('os')", "a ** 9", "a if a else b", "'x'", "b.real", "a +", "a / (b - b)", "z"],
)
def test_formulas_do_nothing_else(formula: str) -> None:
    with pytest.raises(KnowledgeError):
        evaluate(formula, {"a": 1.0, "b": 2.0})


@pytest.mark.slow
def test_a_corpus_is_written_and_read_back(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    info = make_corpus(40, 3, tmp_path / "one", lambda done, total: seen.append((done, total)))
    assert seen[-1] == (40 + hard_size(40) + story_size(40),) * 2
    assert (
        info == corpus_info(tmp_path / "one")
        and info.id.endswith("-s3-n40")
        and not info.credentialed
    )
    manifest = read_manifest(tmp_path / "one")
    assert {name: manifest["counts"][name] for name in SPLITS} == {
        "train": 32,
        "dev": 4,
        "test": 4,
        "hard": 200,
        "stories": 50,
    }
    cases = list(read_teaching(tmp_path / "one"))
    assert len({case.id for case in cases}) == len({case.patient for case in cases}) == 290
    assert [case.id for case in read_teaching(tmp_path / "one", "dev")] == list(
        manifest["splits"]["dev"]["rows"],
    )
    text = json.dumps(manifest)
    assert not any(
        step.evidence.text in text
        for case in cases[:50]
        for step in case.gold.steps
        if len(step.evidence.text) > 25
    )  # type: ignore[union-attr]
    make_corpus(40, 3, tmp_path / "two")
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    assert "Synthetic" in (tmp_path / "one" / "README.md").read_text("utf-8")


def test_a_changed_corpus_is_refused(tmp_path: Path) -> None:
    make_corpus(3, 1, tmp_path)
    file = tmp_path / "train.jsonl"
    file.write_text(file.read_text("utf-8").replace("a", "b", 1), encoding="utf-8")
    with pytest.raises(CorpusError, match=r"train\.jsonl: not the file"):
        list(read_teaching(tmp_path, "train"))
    with pytest.raises(UnknownName, match="did you mean 'train'"):
        list(read_teaching(tmp_path, "trian"))
    with pytest.raises(CorpusError, match=r"is .* a teaching corpus"):
        list(read_teaching(tmp_path / "nowhere"))
    with pytest.raises(CorpusError, match="at least 1 case"):
        make_corpus(0, 1, tmp_path)


@pytest.mark.parametrize(
    ("drug", "ordered"),
    [
        ("lisinopril 10 mg daily", "Lisinopril 10 mg PO DAILY"),
        ("lidocaine patch 5% daily as needed", "Lidocaine patch 5% TD DAILY PRN"),
        ("timolol eye drops twice daily", "Timolol eye drops OU BID"),
        ("tiotropium 18 mcg inhaled daily", "Tiotropium 18 mcg INH DAILY"),
    ],
)
def test_a_medicine_is_ordered_by_its_own_route(drug: str, ordered: str) -> None:
    assert as_ordered(drug) == ordered


def test_a_rationale_speaks_of_what_is_quoted_and_of_the_patients_age() -> None:
    says = Says(
        terse=("yawning, cravings", "stiff neck", "bad temper"),
        full=("{He} is tired.",),
        lay=(),
    )
    rationales = (
        "Cravings before the pain suggest it.",
        "In the young this suggests it.",
        "A prodrome suggests it.",
    )
    assert fitting(rationales, "yawning, cravings", says.all, "finding", 30) == rationales
    assert fitting(rationales, "stiff neck", says.all, "finding", 30) == rationales[1:]
    assert fitting(rationales, "stiff neck", says.all, "finding", 60) == rationales[2:]


def test_a_rationale_with_a_detail_that_no_way_states_gives_way_to_the_others() -> None:
    says = Says(
        terse=("haematemesis x1", "threw up blood"),
        full=("{He} has vomited bright red blood.",),
        lay=(),
    )
    rationales = (
        "Blood with clots shows brisk bleeding.",
        "Such vomiting shows bleeding.",
        "TAPSE shows strain.",
    )
    assert rationales[0] not in fitting(rationales, "haematemesis x1", says.all, "finding", 40)
    assert (
        fitting(rationales, "he vomited blood with clots", says.all, "finding", 40)[0]
        == rationales[0]
    )


def test_what_is_managed_in_a_clinic_tells_of_no_emergency_stay() -> None:
    composer = Composer(11, ["Hyperlipidemia"])
    notes = "\n".join(composer.case(number).case.note for number in range(12))
    assert not re.search(
        r"(?i)in the ED\b|code status|to the floor|IVF|intravenous (?:line|fluids)",
        notes,
    )
