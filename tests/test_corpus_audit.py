"""The audit of a corpus, and the commands around it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dxtrace.corpus import Corpus, read_jsonl
from dxtrace.corpus.audit import Spread, Thresholds, audit_corpus
from dxtrace.corpus.audit_text import audit_page, stats_page
from dxtrace.corpus.duplicates import find_duplicates, jaccard

WORDS = [f"word{number}" for number in range(400)]


def text(start: int = 0, length: int = 120) -> str:
    """A note of words that no other start has."""
    return " ".join(WORDS[start : start + length])


def row(id: str, note: str, diagnosis: str | None = "NSTEMI", **more: Any) -> dict[str, Any]:
    """A row with one step on its note's first two words."""
    steps = [
        {
            "evidence": " ".join(note.split()[:2]),
            "rationale": "Because",
            "supports": "Suspected ACS",
        },
    ]
    return {"id": id, "note": note, "diagnosis": diagnosis, "steps": steps} | more


def corpus_of(tmp_path: Path, *rows: dict[str, Any]) -> Corpus:
    """Read rows as a corpus."""
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return read_jsonl(file)


def test_counts_lengths_and_balance(tmp_path: Path) -> None:
    rows = [
        row(f"c{n}", text(n * 5, 20 + n), "UA" if n else "STEMI", patient=f"p{n // 2}")
        for n in range(5)
    ]
    result = audit_corpus(
        corpus_of(tmp_path, *rows, {"id": "x", "note": "plain words", "patient": "p9"}),
        tokens=lambda notes: [len(note) for note in notes],
        tokens_of="tiny",
    )
    assert (result.cases, result.annotated, result.patients) == (6, 5, 4)
    assert result.diagnoses == {"UA": 4, "STEMI-ACS": 1}
    assert result.categories == {"Acute Coronary Syndrome": 5}
    assert result.majority == ("UA", 0.8)
    assert (result.words.minimum, result.words.maximum) == (2, 24)
    assert result.tokens is not None
    assert result.tokens.minimum == len("plain words")
    assert result.sections["history_of_present_illness"] == 5
    page = audit_page(result)
    assert "always answering 'UA' would be right in 80.0%" in page
    assert "tokens of tiny" in page
    assert stats_page(result) in page or "Balance" in stats_page(result)


def test_the_spread_of_nothing_and_of_hundred() -> None:
    assert Spread.of([]).maximum == 0
    hundred = Spread.of(range(1, 101))
    assert (hundred.median, hundred.p95, hundred.mean) == (50.5, 95, 50.5)


def test_duplicates_and_their_conflicts_are_found(tmp_path: Path) -> None:
    near = text(0).replace("word60", "other")
    result = audit_corpus(
        corpus_of(
            tmp_path,
            row("a", text(0)),
            row("b", text(0).upper().replace(" ", "  "), "UA"),
            row("c", near, "STEMI"),
            row("d", text(150)),
        ),
    )
    assert result.duplicates == (("a", "b"),)
    ((one, other, score),) = result.near_duplicates
    assert (one, other) == ("a", "c")
    assert 0.8 < score < 1
    labels = {conflict.what: conflict.labels for conflict in result.conflicts}
    assert labels == {
        "same note": ("NSTEMI", "UA"),
        "nearly the same note": ("NSTEMI", "STEMI-ACS"),
    }


def test_labels_in_the_note_are_leaks(tmp_path: Path) -> None:
    result = audit_corpus(
        corpus_of(
            tmp_path,
            row("own", "he has unstable angina today", "UA"),
            row("other", "was told of an NSTEMI before", "UA"),
            row("urine", "the ua was clean and nitrite free", "UA"),
            row("clean", "crushing pain in the chest", "UA"),
        ),
    )
    assert list(result.leaks) == ["own"]
    assert set(result.category_leaks) == {"own", "other"}
    assert result.leak_share == 0.25


def test_patients_and_duplicates_across_splits(tmp_path: Path) -> None:
    result = audit_corpus(
        corpus_of(
            tmp_path,
            row("a", text(0), split="train", patient="p"),
            row("b", text(150), split="test", patient="p"),
            row("c", text(0), split="dev", patient="q"),
        ),
    )
    assert result.crossing == {"p": ("test", "train")}
    assert result.crossing_duplicates == (("a", "c"),)
    assert "patient p is in test, train" in audit_page(result)


def test_thresholds_say_what_is_above_them(tmp_path: Path) -> None:
    lost = {"evidence": "not there", "rationale": "x", "supports": "Suspected ACS"}
    rows = [row("a", text(0)), row("b", text(0), "UA"), row("c", text(150), steps=[lost])]
    result = audit_corpus(corpus_of(tmp_path, *rows))
    assert result.broken(Thresholds()) == []
    limits = Thresholds(
        problems=0,
        unaligned=0.1,
        conflicts=0,
        duplicates=0,
        leaks=0,
        crossing=0,
        majority=0.5,
    )
    broken = {line.split(":")[0] for line in result.broken(limits)}
    assert broken == {"problems", "unaligned", "conflicts", "duplicates", "majority"}
    assert result.unaligned_share == pytest.approx(1 / 3)
    json.dumps(result.to_json(), allow_nan=False)


@settings(max_examples=40)
@given(
    st.lists(
        st.lists(st.sampled_from("abcdefgh"), min_size=5, max_size=40),
        min_size=2,
        max_size=8,
    ),
)
def test_near_duplicates_are_those_that_their_sets_say(notes: list[list[str]]) -> None:
    texts = [" ".join(words) for words in notes]
    groups, pairs = find_duplicates(texts, 0.8)
    grams = [{tuple(words[i : i + 5]) for i in range(len(words) - 4)} for words in notes]
    for one, other, score in pairs:
        assert score == pytest.approx(
            len(grams[one] & grams[other]) / len(grams[one] | grams[other]),
        )
    for group in groups:
        assert len({texts[index] for index in group}) == 1
    assert sum(len(group) - 1 for group in groups) == len(texts) - len(set(texts))


def test_short_and_wordless_notes_are_no_duplicates_by_accident() -> None:
    groups, pairs = find_duplicates(["a b", "a c", "...", "!!!", "a b"])
    assert groups == [[0, 4], [2, 3]]
    assert pairs == []
    with pytest.raises(ValueError, match=r"0\.6"):
        find_duplicates([], 0.1)


def test_nearly_all_pairs_at_the_threshold_are_found() -> None:
    pairs = 0
    for number in range(60):
        words = [f"w{number}x{i}" for i in range(200)]
        changed = [*words[:180], *(f"y{i}" for i in range(20))]
        _, found = find_duplicates([" ".join(words), " ".join(changed)])
        pairs += len(found)
    assert pairs == 60
    import numpy as np

    assert jaccard(np.array([1, 2, 3], np.uint64), np.array([2, 3, 4], np.uint64)) == 0.5


def call(*arguments: str) -> int:
    """Run ``dxtrace corpus`` as the command line does."""
    from dxtrace import cli

    return cli.run(["corpus", *arguments])


@pytest.fixture
def rows_file(tmp_path: Path) -> Path:
    rows = [
        row(f"ward/c{n}", text(n * 30), "UA" if n else "STEMI", patient=f"p{n}") for n in range(8)
    ]
    corpus_of(tmp_path, *rows)
    return tmp_path / "rows.jsonl"


@pytest.mark.slow
def test_make_audit_show_and_split_from_the_shell(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "teaching"
    assert call("make", "--size", "6", "--seed", "2", "--out", str(folder)) == 0
    assert "teaching-" in capsys.readouterr().out
    assert (
        call(
            "audit",
            str(folder),
            "--max-problems",
            "0",
            "--max-leaks",
            "0",
            "--max-conflicts",
            "0",
        )
        == 0
    )
    assert "Labels named in the note" in capsys.readouterr().out
    assert call("stats", f"{folder}:train", "--json") == 0
    stats = json.loads(capsys.readouterr().out)
    assert stats["cases"] == stats["splits"]["train"]


def test_audit_exits_1_above_a_threshold_and_2_on_a_bad_spec(
    rows_file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call("audit", str(rows_file), "--max-majority", "0.5") == 1
    captured = capsys.readouterr()
    assert "above the threshold: majority: 0.875" in captured.err
    assert "Balance" in captured.out
    assert call("audit", str(rows_file), "--json") == 0
    assert json.loads(capsys.readouterr().out)["cases"] == 8
    assert call("audit", "teachin:nowhere") == 2
    assert "did you mean 'teaching'" in capsys.readouterr().err
    assert call("audit", str(rows_file), "--near", "0.1") == 2


def test_a_wholly_broken_corpus_is_still_audited(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a.jsonl").write_text("junk\nmore junk\n", "utf-8")
    assert call("audit", str(tmp_path / "a.jsonl"), "--max-problems", "1") == 1
    captured = capsys.readouterr()
    assert "bad-json 2" in captured.out
    assert "problems: 2, at most 1 accepted" in captured.err
    assert call("stats", str(tmp_path / "a.jsonl")) == 2


def test_show_marks_the_evidence_and_warns_of_credentialed_notes(
    rows_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call("show", str(rows_file)) == 0
    assert "c3\t" in capsys.readouterr().out
    assert call("show", str(rows_file), "c3") == 0
    captured = capsys.readouterr()
    assert "[1]word90 word91" in captured.out
    assert captured.err == ""
    assert call("show", str(rows_file), "ward/c33") == 2
    assert "did you mean" in capsys.readouterr().err
    file = tmp_path / "note.json"
    file.write_text(
        json.dumps({"UA$Intermedia_2": {"Why$Cause_1": {"pain$Input1": {}}}, "input1": "pain"}),
        "utf-8",
    )
    assert call("show", f"direct:{file}", "note", "--json") == 0
    captured = capsys.readouterr()
    assert "PhysioNet" in captured.err
    assert json.loads(captured.out)["steps"][0]["evidence"]["text"] == "pain"


def test_split_from_the_shell(
    rows_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "split"
    assert call("split", str(rows_file), "--out", str(out), "--shares", "a=0.5,b=0.5") == 0
    assert "4 cases" in capsys.readouterr().out
    assert call("stats", f"{out}:a") == 0
    assert call("split", str(rows_file), "--out", str(out), "--shares", "a:1") == 2
    assert call("split", str(rows_file), "--out", str(out), "--shares", "a=0.8,b=0.3") == 2
    assert call("split", f"{rows_file}:train", "--out", str(out)) == 2
