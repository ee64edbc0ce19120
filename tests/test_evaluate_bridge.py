"""The score of BRIDGE on DiReCT: labels, invalid answers, bootstraps, and the table beside it."""

from __future__ import annotations

import numpy as np
import pytest

from dxtrace.evaluate.metrics.bridge import (
    EXAMPLES,
    bridge_score,
    label_of,
    split_examples,
    tables,
)
from dxtrace.knowledge.taxonomy import Taxonomy

metrics = pytest.importorskip("sklearn.metrics")


def as_published(gold: list[str], said: list[str | None]) -> tuple[float, float]:
    """Accuracy and macro-F1 as BRIDGE's formula has them, written here a second time: one stream of
    random numbers, labels for invalid answers first, then 1,000 bootstraps, then the mean.
    """
    rng = np.random.RandomState(42)
    valid = sorted(set(gold))
    filled = [one if one is not None else str(rng.choice(valid)) for one in said]
    accuracies, scores = [], []
    for _ in range(1000):
        places = rng.choice(len(gold), len(gold), replace=True)
        truth = np.array(gold)[places]
        guess = np.array(filled)[places]
        accuracies.append(metrics.accuracy_score(truth, guess))
        scores.append(
            metrics.f1_score(
                truth, guess, labels=sorted(set(truth)), average="macro", zero_division=0
            ),
        )
    return float(np.mean(accuracies)), float(np.mean(scores))


@pytest.mark.slow
@pytest.mark.parametrize("invalid", [0, 7])
def test_the_score_is_the_published_formulas(invalid: int) -> None:
    rng = np.random.RandomState(1)
    labels = list(tables()["diagnoses"])[:12]
    gold = [str(rng.choice(labels)) for _ in range(60)]
    said: list[str | None] = [one if rng.rand() < 0.6 else str(rng.choice(labels)) for one in gold]
    for place in range(invalid):
        said[place * 3] = None
    found = bridge_score(gold, said)
    accuracy, macro = as_published(gold, said)
    assert found.accuracy == pytest.approx(accuracy, abs=1e-12)
    assert found.macro_f1 == pytest.approx(macro, abs=1e-12)
    assert found.invalid == invalid
    assert found.n == 60
    assert found.interval.low is not None and found.interval.high is not None
    assert found.interval.low < found.accuracy < found.interval.high


def test_there_are_25_categories_and_55_diagnoses_and_all_are_ours() -> None:
    taxonomy = Taxonomy.default()
    known = tables()
    assert len(known["categories"]) == len(taxonomy.categories) == 25
    assert len(known["diagnoses"]) == 55
    named: list[str] = []
    for nodes in known["diagnoses"].values():
        for name in nodes:
            assert taxonomy.find(name).name == name
        named += nodes
    assert len(named) == len(set(named))
    ours = [name for nodes in known["categories"].values() for name in nodes]
    assert sorted(ours) == sorted(category.name for category in taxonomy.categories)


@pytest.mark.parametrize(
    ("name", "category", "diagnosis"),
    [
        ("HFrEF", "Heart Failure", "Heart Failure"),
        ("NSTEMI", "Acute Coronary Syndrome", "Non-ST-Elevation Myocardial Infarction"),
        ("ST-elevation myocardial infarction", "Acute Coronary Syndrome", "ST-Elevation Myocardial Infarction"),
        ("Mild COPD", "Chronic Obstructive Pulmonary Disease", "Chronic Obstructive Pulmonary Disease"),
        ("LTBI", "Tuberculosis", "Tuberculosis"),
        # inner nodes are no label of the 55
        ("Pneumonia", "Pneumonia", None),
        ("Chronic Gastritis", "Gastritis", None),
        # words around a label, as a language model writes them: the longest label counts
        ("Diagnosis: non-ST-elevation myocardial infarction.", None, "Non-ST-Elevation Myocardial Infarction"),
        ("appendicitis", None, None),
    ],
)  # fmt: skip
def test_names_stand_for_their_labels(
    name: str, category: str | None, diagnosis: str | None
) -> None:
    assert label_of(name, "categories") == category
    assert label_of(name, "diagnoses") == diagnosis


def test_twenty_notes_are_kept_for_examples_of_a_release_and_none_of_a_few_cases() -> None:
    many = [f"note-{number}" for number in range(511)]
    kept = split_examples(many)
    assert len(kept) == EXAMPLES
    assert kept == split_examples(many[::-1])
    assert split_examples(many[:60]) == set()


def test_the_published_figures_say_where_they_are_from() -> None:
    published = tables()["published"]
    assert "BRIDGE" in published["source"] and "20" in published["source"]
    for row in published["models"]:
        assert 0 < row["diagnoses"] < row["categories"] < 100
