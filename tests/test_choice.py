"""Choosing among closed lists, on an engine whose probabilities are known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.engines import END, KnownEngine

from dxtrace.answering.calibration import Calibration
from dxtrace.answering.choice import Options, rank
from dxtrace.answering.differential import label_options, rank_diagnoses
from dxtrace.chain import flatten
from dxtrace.engines.base import Engine
from dxtrace.errors import InputError
from dxtrace.knowledge.taxonomy import Taxonomy


def enumerate_exactly(engine: KnownEngine, prompt: Sequence[int], options: Options) -> list[float]:
    """The definition, option by option: the product of its shares where it could have gone another
    way.
    """
    result = []
    for index, tokens in enumerate(options.tokens):
        if options.tokens.index(tokens) != index:
            result.append(0.0)
            continue
        probability = 1.0
        for length in range(len(tokens) + 1):
            prefix = tokens[:length]
            others = [o for o in options.tokens if o[:length] == prefix]
            following = {o[length] for o in others if len(o) > length}
            ways = following | (set(options.ends) if prefix in others else set())
            mine = set(options.ends) if length == len(tokens) else {tokens[length]}
            if length == len(tokens) and not following:
                continue
            if len(following) == 1 and prefix not in others:
                continue
            weights = {token: engine.weight((*prompt, *prefix), token) for token in ways}
            probability *= sum(weights[token] for token in mine) / sum(weights.values())
        result.append(probability)
    return result


token_lists = st.lists(
    st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple),
    min_size=1,
    max_size=12,
)
options_drawn = st.builds(
    Options,
    token_lists.map(tuple),
    st.sampled_from(((END,), (END, END + 1))),
)
prompts = st.lists(st.integers(0, 9), max_size=3)


def test_the_engine_of_these_tests_is_an_engine() -> None:
    assert isinstance(KnownEngine(), Engine)


@given(prompts, options_drawn)
def test_rank_is_exact_and_sums_to_one(prompt: list[int], options: Options) -> None:
    engine = KnownEngine()
    found = rank(engine, prompt, options, floor=0)
    assert math.isclose(sum(found), 1)
    assert found == pytest.approx(enumerate_exactly(engine, prompt, options))


@given(prompts, options_drawn)
def test_packed_and_unpacked_agree(prompt: list[int], options: Options) -> None:
    assert rank(KnownEngine(packs=True), prompt, options) == pytest.approx(
        rank(KnownEngine(), prompt, options, floor=0),
    )


@given(prompts, options_drawn, st.sampled_from((0.01, 0.1, 0.5, 1.1)))
def test_a_floor_saves_calls_and_keeps_the_sum(
    prompt: list[int],
    options: Options,
    floor: float,
) -> None:
    engine, exact = KnownEngine(sharpness=4), KnownEngine(sharpness=4)
    assert math.isclose(sum(rank(engine, prompt, options, floor=floor)), 1)
    rank(exact, prompt, options, floor=0)
    assert len(engine.asked) <= len(exact.asked)


@pytest.mark.parametrize(
    ("texts", "calls"),
    [
        (["heart"], 0),
        (["heart failure", "heart block"], 1),
        (["a", "ab"], 1),
        (["abc", "abd", "xyz"], 2),
        (["same", "same"], 0),
    ],
)
def test_forced_tokens_ask_nothing(texts: list[str], calls: int) -> None:
    for packs in (False, True):
        engine = KnownEngine(packs)
        options = Options(tuple(map(tuple, engine.encode(texts))), (END,))
        rank(engine, [1], options, floor=0)
        assert len(engine.asked) == calls


def test_a_longer_name_is_not_punished_for_what_it_cannot_help_saying() -> None:
    class Even(KnownEngine):
        def weight(self, _before: Sequence[int], _token: int) -> float:
            return 1.0

    engine = Even()
    texts = ["x", "y" * 50]
    assert rank(engine, [], Options(tuple(map(tuple, engine.encode(texts))), (END,))) == [0.5, 0.5]


def test_the_differential_covers_every_diagnosis() -> None:
    engine, taxonomy = KnownEngine(), Taxonomy.default()
    options = label_options(engine, taxonomy)
    found = rank_diagnoses(engine, [1, 2], taxonomy, options, Calibration())
    assert {entry.diagnosis for entry in found.entries} == {
        node.name for node in taxonomy.diagnoses
    }
    assert math.isclose(sum(entry.probability for entry in found.entries), 1)
    assert [e.probability for e in found.entries] == sorted(
        (e.probability for e in found.entries),
        reverse=True,
    )
    assert math.isclose(sum(found.category_probabilities().values()), 1)
    again = rank_diagnoses(KnownEngine(packs=True), [1, 2], taxonomy, options, Calibration())
    assert again.top.diagnosis == found.top.diagnosis


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=8),
    st.floats(0.05, 20),
    st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-30, 30)),
)
def test_calibration_gives_probabilities_and_keeps_order_without_bias(
    shares: list[float],
    heat: float,
    bias: dict[str, float],
) -> None:
    names = list("abcdefgh")[: len(shares)]
    found = Calibration(heat, bias).apply(names, shares)
    assert math.isclose(sum(found), 1) and all(0 <= share <= 1 for share in found)
    plain = Calibration(heat).apply(names, shares)
    top = max(range(len(shares)), key=shares.__getitem__)
    assert plain[top] == pytest.approx(max(plain))
    assert Calibration.from_json(Calibration(heat, bias).to_json()) == Calibration(heat, bias)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"temperature": 0},
        {"temperature": "x"},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"temperature": 1, "bias": []},
        {"temperature": 1, "bias": {"a": float("nan")}},
        {"temperature": 1, "bias": {"a": None}},
    ],
)
def test_a_broken_calibration_is_refused(data: object) -> None:
    with pytest.raises(InputError):
        Calibration.from_json(data)


def test_flatten() -> None:
    assert flatten(" a\u00a0 b\r\n\tc ") == "a b c"
