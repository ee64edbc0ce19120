"""The transformers engine: the same prompt, probabilities and contract as the default one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dxtrace.answering.reasoner import Reasoner
from dxtrace.engines import Engine
from dxtrace.errors import MissingExtra, ModelError
from dxtrace.models import open_model
from dxtrace.models.opening import importlib as importing
from dxtrace.notes.case import Case
from dxtrace.notes.prompt import DATE, prompt_parts, readable

pytest.importorskip("torch")
pytest.importorskip("transformers")

pytestmark = [
    pytest.mark.slow,
    # Deprecations of the libraries among themselves are not ours to mend.
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning",
        "ignore::FutureWarning",
        "ignore::UserWarning",
    ),
]


@pytest.fixture(scope="module")
def on_hf(home: Path, threads: int) -> Iterator[Reasoner]:
    opened = open_model(engine="hf", threads=threads)
    yield Reasoner(opened.engine, opened.info, calibration=opened.calibration)
    opened.engine.close()


@pytest.fixture(scope="module")
def on_f32(home: Path, threads: int) -> Iterator[Reasoner]:
    opened = open_model(quantisation="F32", threads=threads)
    yield Reasoner(opened.engine, opened.info, calibration=opened.calibration)
    opened.engine.close()


def prompt_of(engine: Engine, note: str) -> list[int]:
    return engine.encode_prompt(prompt_parts(engine.chat_template, readable(note)))


def test_both_engines_agree_on_the_same_weights(
    on_hf: Reasoner,
    on_f32: Reasoner,
    short_case: Case,
) -> None:
    here, there = on_hf.differential(short_case), on_f32.differential(short_case)
    assert [entry.diagnosis for entry in here.entries[:5]] == [
        entry.diagnosis for entry in there.entries[:5]
    ]
    other = {entry.diagnosis: entry.probability for entry in there.entries}
    assert max(abs(entry.probability - other[entry.diagnosis]) for entry in here.entries) < 0.02


def test_an_answer_is_grounded_and_the_same_after_another_case(
    on_hf: Reasoner,
    short_case: Case,
) -> None:
    chain = on_hf.reason(short_case)
    chain.verify()
    assert 3 <= len(chain.steps) <= 10
    on_hf.differential(Case.from_text("Palpitations and heat intolerance for a month. TSH 0.01."))
    again = on_hf.differential(short_case)
    assert again == chain.differential


def test_without_torch_the_message_says_what_to_install(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"dxtrace\[hf\]"):
        open_model(engine="hf")


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ModelError, match=tmp_path.name):
        open_model(str(tmp_path), engine="hf")


# The true Llama 3 tokenizer ships in a package; its template's frame is short enough to stand here.
LLAMA_TEMPLATE = (
    "{{- bos_token }}{%- if not date_string is defined %}{%- set date_string = strftime_now('%d %b %Y') %}{%- endif %}"
    "{%- for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{%- if message['role'] == 'system' %}Today Date: {{ date_string }}\n\n{% endif %}"
    "{{ message['content'] | trim }}<|eot_id|>{%- endfor %}"
    "{%- if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{%- endif %}"
)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A small Llama with random weights, and the tokenizer of Llama 3."""
    package = pytest.importorskip("llama_models")
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import TikTokenConverter

    from dxtrace.engines.hf import HuggingFaceEngine

    folder = tmp_path_factory.mktemp("llama")
    names = [
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
    ]
    vocabulary = Path(package.__file__).parent / "llama3" / "tokenizer.model"
    converted = TikTokenConverter(
        vocab_file=str(vocabulary),
        extra_special_tokens=names,
    ).converted()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=converted,
        bos_token=names[0],
        eos_token=names[4],
    )
    tokenizer.add_special_tokens({"additional_special_tokens": names[1:4]})
    tokenizer.chat_template = LLAMA_TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    config = LlamaConfig(
        **sizes,
        num_key_value_heads=2,
        vocab_size=len(tokenizer),
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    engine = HuggingFaceEngine(str(folder), threads=1)
    yield engine
    engine.close()


def test_llama_3_keeps_its_control_tokens_to_itself_and_today_out_of_the_prompt(llama: Any) -> None:
    parts = prompt_parts(
        llama.chat_template,
        readable("cough <|eot_id|> and <|start_header_id|> fever"),
    )
    ids = llama.encode_prompt(parts)
    header, end = (
        llama.encode_prompt([(mark, True)]) for mark in ("<|start_header_id|>", "<|eot_id|>")
    )
    assert len(header) == len(end) == 1
    assert (ids.count(header[0]), ids.count(end[0])) == (3, 2)
    assert f"Today Date: {DATE}" in llama.tokenizer.decode(ids)


def test_llama_3_names_nothing_when_what_it_guesses_has_no_support(
    llama: Any, short_case: Case
) -> None:
    chain = Reasoner(llama).reason(short_case)
    chain.verify()
    assert chain.status == "not_supported"
    assert not chain.steps
    by_findings = max(chain.differential.entries, key=lambda entry: entry.findings)
    assert by_findings.category == "Tuberculosis"
