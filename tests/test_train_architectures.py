"""Every architecture that people train: two steps, on from there, an answer, an export that agrees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.architectures import GGUF_NAMES, TEMPLATES, make_architecture, write_gguf
from support.training import changes, make_model, make_small_corpus

from dxtrace.models import store
from dxtrace.models.export import export_adapter
from dxtrace.models.loading import load
from dxtrace.models.verify import verify
from dxtrace.notes.prompt import CUE, prompt_parts
from dxtrace.train import load_recipe, prepare, train

pytest.importorskip("trl", reason="needs the extra 'train'")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow, pytest.mark.timeout(1800)]


#: A token that a base has beyond those of its vocabulary file.
ADDED = "<of_the_user>"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_small_corpus(tmp_path_factory.mktemp("architectures") / "corpus")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Any:
    from transformers import AutoTokenizer

    folder = make_model(tmp_path_factory.mktemp("architectures") / "llama", corpus)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.bos_token = tokenizer.eos_token
    tokenizer.add_tokens([ADDED])
    return tokenizer


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_an_architecture_trains_resumes_answers_and_exports(
    name: str,
    corpus: Path,
    tokenizer: Any,
    tmp_path: Path,
) -> None:
    base = make_architecture(name, tmp_path / "base", tokenizer)
    more = ("steps=2", "save_every=1", "limit=16", "run.eval_cases=2")
    ready = prepare(load_recipe("smollm2-135m-cpu", changes(base, corpus, *more)))
    assert train(ready, tmp_path / "run").step == 2
    (tmp_path / "run/checkpoints/checkpoint-2/trainer_state.json").unlink()
    outcome = train(ready, tmp_path / "run", resume=True)
    assert outcome.step == 2
    case = next(iter(ready.cases.dev)).case
    load(str(base), adapter=outcome.adapter, engine="hf").reason(case).verify()
    export_adapter(outcome.adapter, tmp_path / "merged", "hf", base=str(base))
    assert (tmp_path / "merged" / "provenance.json").is_file()
    _same_but_for_the_weights(base, tmp_path / "merged")
    assert verify(outcome.adapter, base=str(base), notes=[case.note], tokens=4).passed


def _same_but_for_the_weights(base: Path, merged: Path) -> None:
    """Embeddings are tied where they were, added tokens are there, and the template is the same."""
    from safetensors.numpy import load_file
    from transformers import AutoTokenizer

    names = load_file(base / "model.safetensors").keys()
    assert load_file(merged / "model.safetensors").keys() == names
    before, after = (AutoTokenizer.from_pretrained(folder) for folder in (base, merged))
    assert len(after) == len(before)
    assert after.encode(ADDED) == before.encode(ADDED) == [len(before) - 1]
    assert after.chat_template == before.chat_template


def test_models_that_think_are_told_not_to() -> None:
    prompt = "".join(text for text, _ in prompt_parts(TEMPLATES["qwen3"], "Cough."))
    assert prompt.endswith(f"<think>\n\n</think>\n\n{CUE}")


@pytest.mark.parametrize("name", sorted(GGUF_NAMES))
def test_a_merged_gguf_and_a_lora_gguf_agree_with_the_adapter(
    name: str,
    home: Path,
    tmp_path: Path,
) -> None:
    pytest.importorskip("xllamacpp")
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from dxtrace.engines.hf import HuggingFaceEngine
    from dxtrace.engines.llamacpp import LlamaCppEngine, LlamaCppOptions
    from dxtrace.models.torch_base import locate

    known = AutoTokenizer.from_pretrained(locate(store.DEFAULT).where)
    folder = make_architecture(name, tmp_path / "base", known)
    base = write_gguf(name, folder, store.pull(store.DEFAULT), tmp_path / "base.gguf")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config)
    torch.manual_seed(1)
    for key, parameter in adapted.named_parameters():
        if "lora_B" in key:
            parameter.data.normal_(0, 0.1)
    adapted.save_pretrained(tmp_path / "adapter")
    export_adapter(
        tmp_path / "adapter", tmp_path / "all.gguf", "gguf", base=str(base), quantisation="F32"
    )
    export_adapter(tmp_path / "adapter", tmp_path / "lora.gguf", "lora-gguf", base=str(folder))
    ids = known.encode("The patient has had a cough and a fever for three days.")
    candidates = tuple(range(20, 400, 7))
    reference = _scores(HuggingFaceEngine(str(folder), tmp_path / "adapter", 1), ids, candidates)
    plain = _scores(HuggingFaceEngine(str(folder), None, 1), ids, candidates)
    exact = LlamaCppOptions(threads=1, exact=True)
    merged = _scores(LlamaCppEngine(tmp_path / "all.gguf", exact), ids, candidates)
    beside = LlamaCppOptions(adapter=tmp_path / "lora.gguf", threads=1, exact=True)
    applied = _scores(LlamaCppEngine(base, beside), ids, candidates)
    assert merged == pytest.approx(reference, rel=1e-3)
    assert applied == pytest.approx(reference, rel=1e-3)
    assert plain != pytest.approx(reference, rel=1e-2)


def _scores(engine: Any, ids: list[int], candidates: tuple[int, ...]) -> dict[int, float]:
    from dxtrace.engines.base import Branch

    found = dict(engine.distributions(ids, [Branch((), candidates)])[0])
    engine.close()
    return found
