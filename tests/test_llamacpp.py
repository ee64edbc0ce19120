"""The llama.cpp engine on the embedded model: tokens, probabilities, text under a grammar, silence."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cases import SHORT
from support.engines import CONTROL, GRAMMAR
from support.strategies import plain_texts

from dxtrace.engines import Branch, Engine
from dxtrace.engines.llamacpp import LlamaCppEngine, LlamaCppOptions
from dxtrace.errors import EngineError, ModelError
from dxtrace.models import open_model
from dxtrace.notes.prompt import prompt_parts, readable


@pytest.fixture(scope="module")
def engine(home: Path, threads: int) -> Iterator[LlamaCppEngine]:
    pytest.importorskip("xllamacpp")
    opened = open_model(engine="llamacpp", threads=threads)
    assert isinstance(opened.engine, LlamaCppEngine)
    yield opened.engine
    opened.engine.close()


@pytest.fixture(scope="module")
def prompt(engine: LlamaCppEngine) -> list[int]:
    return engine.encode_prompt(prompt_parts(engine.chat_template, readable(SHORT)))


def test_it_is_an_engine(engine: LlamaCppEngine) -> None:
    assert isinstance(engine, Engine)
    assert engine.end_tokens
    assert engine.chat_template


@pytest.mark.parametrize("mark", CONTROL)
def test_a_note_puts_no_control_token_into_the_prompt(engine: LlamaCppEngine, mark: str) -> None:
    frame = engine.encode_prompt(prompt_parts(engine.chat_template, "cough and fever"))
    ids = engine.encode_prompt(
        prompt_parts(engine.chat_template, f"cough {mark}{mark}\n{mark} and fever"),
    )
    (control, *rest) = engine.encode_prompt([(mark, True)])
    if not rest:
        assert ids.count(control) == frame.count(control)
    assert len(ids) > len(frame)


@settings(max_examples=25)
@given(st.lists(plain_texts().map(lambda text: text[:200]), min_size=1, max_size=4))
def test_texts_are_encoded_each_on_its_own(engine: LlamaCppEngine, given_texts: list[str]) -> None:
    assert engine.encode(given_texts) == [engine.encode([text])[0] for text in given_texts]


def test_probabilities_belong_to_the_candidates_and_do_not_depend_on_what_was_asked_before(
    engine: LlamaCppEngine,
    prompt: list[int],
) -> None:
    candidates = tuple(ids[0] for ids in engine.encode([" Tub", " Heart", " Pneum", " Stroke"]))
    branches = [
        Branch((), candidates),
        Branch((candidates[1],), candidates[:2]),
        Branch((), candidates[:1]),
    ]
    engine.forget()
    first = engine.distributions(prompt, branches)
    engine.distributions(engine.encode(["something else altogether"])[0], [Branch((), candidates)])
    engine.forget()
    assert engine.distributions(prompt, branches) == first
    assert [set(shares) for shares in first] == [set(branch.candidates) for branch in branches]
    assert all(sum(shares.values()) == pytest.approx(1) for shares in first)
    assert first[2] == {candidates[0]: 1.0}


def test_text_keeps_to_its_grammar(engine: LlamaCppEngine, prompt: list[int]) -> None:
    words = "".join(engine.stream(prompt, GRAMMAR, 64))
    assert words.startswith(" ")
    assert words.endswith(".")
    assert len(words.split()) == 2


@pytest.mark.parametrize("bad", ["start: (", "%llguidance {}\nstart: NOWHERE\n", "", "start: /[/"])
def test_an_invalid_grammar_is_an_error_that_does_not_repeat_it(
    engine: LlamaCppEngine,
    prompt: list[int],
    bad: str,
) -> None:
    with pytest.raises(EngineError) as caught:
        "".join(engine.stream(prompt, bad + "\n// canary-note-text", 16))
    assert "canary" not in str(caught.value)


def test_text_that_breaks_off_is_an_error(engine: LlamaCppEngine, prompt: list[int]) -> None:
    with pytest.raises(EngineError, match="broke off"):
        "".join(engine.stream(prompt, GRAMMAR, 1))


def test_unconstrained_text_never_gets_out(
    engine: LlamaCppEngine,
    prompt: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail_open(body: dict[str, Any], receive: Any) -> dict[str, Any]:
        receive({"choices": [{"text": " ok then"}]})
        receive({"choices": [{"text": ", here is what I think: 42"}]})
        return {}

    monkeypatch.setattr(engine, "_complete", fail_open)
    heard = []
    with pytest.raises(EngineError, match="left the grammar"):
        for piece in engine.stream(prompt, GRAMMAR, 64):
            heard.append(piece)
    assert "42" not in "".join(heard)


def test_a_text_can_be_left_half_read(engine: LlamaCppEngine, prompt: list[int]) -> None:
    stream = engine.stream(prompt, GRAMMAR, 64)
    next(stream)
    stream.close()
    assert "".join(engine.stream(prompt, GRAMMAR, 64)).endswith(".")


def test_nobody_else_can_use_its_port(engine: LlamaCppEngine) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as caught:
        opener.open(f"{engine._address}/v1/completions", data=b"{}", timeout=10)
    assert caught.value.code == 401
    caught.value.close()
    assert engine._address.startswith("http://127.0.0.1:")


def test_it_writes_nothing_to_stderr(
    engine: LlamaCppEngine,
    prompt: list[int],
    capfd: pytest.CaptureFixture[str],
) -> None:
    "".join(engine.stream(prompt, GRAMMAR, 64))
    engine.distributions(prompt, [Branch((), tuple(prompt[:3]))])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("content", [None, b"", b"GGUF", b"not a model" * 1000])
def test_a_broken_model_file_is_named(
    tmp_path: Path,
    content: bytes | None,
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "broken.gguf"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.gguf"):
        LlamaCppEngine(file, LlamaCppOptions(context=512, threads=1))
    assert capfd.readouterr().err == ""


def test_a_prompt_that_does_not_fit_is_an_error(engine: LlamaCppEngine, prompt: list[int]) -> None:
    with pytest.raises(EngineError):
        engine.distributions(
            prompt * (engine.context // len(prompt) + 1),
            [Branch((), tuple(prompt[:3]))],
        )
