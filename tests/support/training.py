"""A small random Llama with its own tokenizer, and a small corpus: what the training tests run on."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from dxtrace.corpus import make_corpus, read_teaching
from dxtrace.notes.prompt import SYSTEM
from support import ROOT

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

#: Small enough for a few steps in a second or two; one thread, so that sums do not depend on the
#: machine.
SMALL = (
    "data.limit=24",
    "data.max_tokens=2560",
    "run.eval_cases=4",
    "run.eval_every=4",
    "run.save_every=2",
    "run.log_every=1",
    "run.threads=1",
    "optimiser.steps=4",
    "optimiser.accumulation=8",
    "data.chains=1",
    "run.generate=0",
)


def make_model(
    folder: Path,
    corpus: Path,
    layers: int = 2,
    seed: int = 0,
    width: int = 64,
) -> Path:
    """Write a random Llama and a tokenizer trained on the corpus."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    texts = [SYSTEM, *(case.case.note for case in read_teaching(corpus, "train"))]
    special = ["<|im_end|>", "<|im_start|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    raw.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=2048,
            special_tokens=special,
            initial_alphabet=alphabet,
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
    )
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        eos_token_id=0,
        pad_token_id=0,
        bos_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_small_corpus(folder: Path) -> Path:
    """Compose a corpus of 40 cases."""
    make_corpus(40, 3, folder)
    return folder


def changes(model: Path, corpus: Path, *more: str) -> list[str]:
    """Return the changes that make a recipe small."""
    return [f"base.model={model}", "base.adapter=null", f"data.train={corpus}", *SMALL, *more]


def losses(run: Path) -> dict[int, float]:
    """Return the training losses of a run by step."""
    from dxtrace.train import read_metrics

    return {row["step"]: row["loss"] for row in read_metrics(run) if "loss" in row}


def command(*arguments: Any) -> list[str]:
    """Return the command line of ``dxtrace`` as a process of its own."""
    return [sys.executable, "-m", "dxtrace", *map(str, arguments)]


def environment() -> dict[str, str]:
    """Return the environment of such a process: one thread, no network."""
    source = str(ROOT / "src")
    return os.environ | {
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": source,
    }
