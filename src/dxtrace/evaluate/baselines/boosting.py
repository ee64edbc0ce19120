"""Gradient boosting on the words of a note, without and with a sentence embedding.

What anybody who knows scikit-learn would try first: it has to stand in an honest table. The shape is
that of the first trained results on DiReCT (TF-IDF, an embedding, boosted trees). It names a
diagnosis and quotes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from threadpoolctl import threadpool_limits

from dxtrace.chain import Chain
from dxtrace.evaluate._extras import library
from dxtrace.evaluate.baselines.chains import answer_chain
from dxtrace.evaluate.baselines.learned import Answer, labels_of
from dxtrace.evaluate.sentence_encoder import SentenceEncoder
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase

#: Words and pairs of words kept: those that tell the categories apart best, by chi squared.
WORDS = 500

#: Rounds of boosting; each grows one small tree a label.
ROUNDS = 40

Features = Callable[[Sequence[AnnotatedCase]], Any]


def boosting(train: Sequence[AnnotatedCase]) -> Answer:
    """TF-IDF and gradient boosting (Friedman 2001; scikit-learn's histograms after Ke et al. 2017)."""
    return _boosted("boosting", train, _words(train))


def embedding(train: Sequence[AnnotatedCase]) -> Answer:
    """TF-IDF, a sentence embedding of the beginning of the note (256 tokens are read, as such models
    are commonly used) and gradient boosting.
    """
    words, encoder = _words(train), SentenceEncoder("the baseline 'embedding'")
    np = library("numpy", "the baseline 'embedding'")

    def features(cases: Sequence[AnnotatedCase]) -> Any:
        notes = []
        for case in cases:
            notes.append(case.case.note)
        vectors = encoder.encode(notes)
        return np.hstack([words(cases), np.array([vectors[note].numpy() for note in notes])])

    return _boosted("embedding", train, features)


def _words(train: Sequence[AnnotatedCase]) -> Features:
    """Return what makes a table of a note's words: cases x at most :data:`WORDS`."""
    text = library("sklearn.feature_extraction.text", "the baseline 'boosting'")
    selection = library("sklearn.feature_selection", "the baseline 'boosting'")
    vectorizer = text.TfidfVectorizer(ngram_range=(1, 2), min_df=1, sublinear_tf=True)
    if len(train) > 20:
        vectorizer.min_df = 2
    table = vectorizer.fit_transform([case.case.note for case in train])
    best = selection.SelectKBest(selection.chi2, k=min(WORDS, table.shape[1]))
    categories = []
    for label in labels_of(train):
        categories.append(Taxonomy.default().find(label).category)
    best.fit(table, categories)

    def features(cases: Sequence[AnnotatedCase]) -> Any:
        found = vectorizer.transform([case.case.note for case in cases])
        return best.transform(found).toarray()

    return features


def _boosted(name: str, train: Sequence[AnnotatedCase], features: Features) -> Answer:
    """Return what answers with boosted trees: one ensemble chooses the category, one in each
    category its diagnosis (a local classifier per parent node: Silla and Freitas 2011).

    One ensemble over all diagnoses is far worse: most have a handful of cases.
    """
    table, labels = features(train), labels_of(train)
    taxonomy = Taxonomy.default()
    categories = []
    for label in labels:
        categories.append(taxonomy.find(label).category)
    choose_category = _fit(table, categories)
    choose_diagnosis = {}
    for category in set(categories):
        rows = []
        own = []
        for row, label in enumerate(labels):
            if categories[row] == category:
                rows.append(row)
                own.append(label)
        choose_diagnosis[category] = _fit(table[rows], own)

    def answer(case: AnnotatedCase) -> Chain:
        row = features([case])
        shares = {}
        for category, share in choose_category(row).items():
            for diagnosis, part in choose_diagnosis[category](row).items():
                shares[diagnosis] = share * part
        return answer_chain(case, shares, (), name)

    return answer


def _fit(table: Any, labels: Sequence[str]) -> Callable[[Any], dict[str, float]]:
    """Return what gives each label's probability on a row of features."""
    if len(set(labels)) == 1:
        return lambda _: {labels[0]: 1.0}
    ensemble = library("sklearn.ensemble", "gradient boosting")
    model = ensemble.HistGradientBoostingClassifier(
        max_iter=ROUNDS,
        max_leaf_nodes=8,
        min_samples_leaf=3,
        early_stopping=False,
        random_state=0,
    )
    # Tables as small as these are no work for several threads, which would wait for each other.
    with threadpool_limits(1):
        model.fit(table, labels)
    names = []
    for label in model.classes_:
        names.append(str(label))

    def shares(row: Any) -> dict[str, float]:
        with threadpool_limits(1):
            found = model.predict_proba(row)[0].tolist()
        return dict(zip(names, found, strict=True))

    return shares
