"""What every engine that runs a model in this process promises (:mod:`dxtrace.engines.base`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cases import SHORT
from support.engines import CONTROL, GRAMMAR
from support.strategies import plain_texts

from dxtrace.answering.differential import label_options
from dxtrace.answering.reasoner import Reasoner
from dxtrace.engines import Branch, Engine
from dxtrace.errors import EngineError
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.models import open_model
from dxtrace.notes.prompt import prompt_parts, readable

pytestmark = [
    pytest.mark.slow,
    # Deprecations of the libraries among themselves are not ours to mend.
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning",
        "ignore::FutureWarning",
        "ignore::UserWarning",
    ),
]

#: By engine, the packages it needs, and how far probabilities of the same text may lie apart when
#: it is read together with others or alone (llama.cpp reads its 4-bit file in 8-bit steps).
ENGINES = {
    "numpy": ((), 1e-4),
    "llamacpp": (("xllamacpp",), 0.1),
    "hf": (("torch", "transformers"), 1e-4),
}


@pytest.fixture(scope="module", params=ENGINES)
def name(request: pytest.FixtureRequest) -> str:
    packages, _ = ENGINES[request.param]
    for package in packages:
        pytest.importorskip(package)
    return str(request.param)


@pytest.fixture(scope="module")
def engine(name: str, home: Path, threads: int, reasoner: Reasoner) -> Iterator[Engine]:
    if name == "numpy":
        yield reasoner.engine
        return
    opened = open_model(engine=name, threads=threads)
    yield opened.engine
    opened.engine.close()


@pytest.fixture(scope="module")
def prompt(engine: Engine) -> list[int]:
    return prompt_of(engine, SHORT)


def prompt_of(engine: Engine, note: str) -> list[int]:
    return engine.encode_prompt(prompt_parts(engine.chat_template, readable(note)))


def label_branches(engine: Engine) -> list[Branch]:
    """Return branches of several lengths, as ranking the diagnoses asks for them."""
    first, second = label_options(engine, Taxonomy.default()).tokens[:2]
    candidates = (first[-1], second[-1], first[0])
    prefixes = ((), first[:1], first[:2], second[:1], second)
    return [Branch(prefix, candidates) for prefix in prefixes]


def test_it_is_an_engine(engine: Engine) -> None:
    assert isinstance(engine, Engine)
    assert engine.end_tokens
    assert engine.chat_template


def test_it_reads_the_prompt_that_the_default_engine_reads(
    engine: Engine,
    reasoner: Reasoner,
) -> None:
    for note in (SHORT, "\u00b5g \u2265 3\u00d710\u2079/l 1,234.5", *CONTROL):
        assert prompt_of(engine, note) == prompt_of(reasoner.engine, note)
    assert engine.end_tokens[0] == reasoner.engine.end_tokens[0]


@pytest.mark.parametrize("mark", CONTROL)
def test_a_note_puts_no_control_token_into_the_prompt(engine: Engine, mark: str) -> None:
    frame = prompt_of(engine, "cough and fever")
    ids = prompt_of(engine, f"cough {mark}{mark}\n{mark} and fever")
    (control, *rest) = engine.encode_prompt([(mark, True)])
    if not rest:
        assert ids.count(control) == frame.count(control)
    assert len(ids) > len(frame)


@settings(max_examples=25)
@given(texts=st.lists(plain_texts().map(lambda text: text[:200]), min_size=1, max_size=4))
def test_texts_are_encoded_each_on_its_own(engine: Engine, texts: list[str]) -> None:
    assert engine.encode(texts) == [engine.encode([text])[0] for text in texts]


def test_probabilities_belong_to_the_candidates(engine: Engine, prompt: list[int]) -> None:
    branches = [*label_branches(engine), Branch((9, 9), (4,))]
    found = engine.distributions(prompt, branches)
    for branch, shares in zip(branches, found, strict=True):
        assert set(shares) == set(branch.candidates)
        assert sum(shares.values()) == pytest.approx(1)
    assert found[-1] == {4: 1.0}


def test_branches_together_equal_branches_one_by_one(
    name: str,
    engine: Engine,
    prompt: list[int],
) -> None:
    _, close = ENGINES[name]
    branches = label_branches(engine)
    together = engine.distributions(prompt, branches)
    for branch, shares in zip(branches, together, strict=True):
        engine.forget()
        (alone,) = engine.distributions(prompt, [branch])
        assert shares == {token: pytest.approx(share, abs=close) for token, share in alone.items()}


def test_an_answer_does_not_depend_on_what_was_asked_before(
    engine: Engine,
    prompt: list[int],
) -> None:
    branches = label_branches(engine)
    engine.forget()
    first = engine.distributions(prompt, branches)
    engine.distributions(engine.encode(["something else altogether"])[0], branches[:1])
    engine.distributions(prompt[:-9], branches[:2])
    engine.forget()
    assert engine.distributions(prompt, branches) == first


def test_text_keeps_to_its_grammar(engine: Engine, prompt: list[int]) -> None:
    words = "".join(engine.stream(prompt, GRAMMAR, 64))
    assert words.startswith(" ")
    assert words.endswith(".")
    assert len(words.split()) == 2


@pytest.mark.parametrize("bad", ["start: (", "%llguidance {}\nstart: NOWHERE\n", "", "start: /[/"])
def test_an_invalid_grammar_is_an_error_that_does_not_repeat_it(
    engine: Engine,
    prompt: list[int],
    bad: str,
) -> None:
    with pytest.raises(EngineError) as caught:
        "".join(engine.stream(prompt, bad + "\n// canary-note-text", 16))
    assert "canary" not in str(caught.value)


def test_text_that_breaks_off_is_an_error(engine: Engine, prompt: list[int]) -> None:
    with pytest.raises(EngineError, match="broke off"):
        "".join(engine.stream(prompt, GRAMMAR, 1))


def test_a_text_can_be_left_half_read(engine: Engine, prompt: list[int]) -> None:
    stream = engine.stream(prompt, GRAMMAR, 64)
    next(stream)
    stream.close()
    assert "".join(engine.stream(prompt, GRAMMAR, 64)).endswith(".")


def test_a_prompt_that_does_not_fit_is_an_error(engine: Engine) -> None:
    with pytest.raises(EngineError):
        engine.distributions([5] * (engine.context + 1), [Branch((), (1, 2))])
