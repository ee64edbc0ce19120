"""A few real answers while training: free greedy text, scored for form, grounding and diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dxtrace.chain import flatten, parse
from dxtrace.errors import InputError
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.prompt import CUE, readable
from dxtrace.train.examples import Encoder


def score_generations(
    model: Any,
    encoder: Encoder,
    cases: Sequence[AnnotatedCase],
    room: int = 640,
) -> dict[str, float]:
    """Let the model answer freely (no grammar) and return shares between 0 and 1.

    Args:
        model: a causal language model, in any mode; it is left in the mode it was in.
        encoder: turns notes into prompts.
        cases: with gold chains.
        room: longest answer, in tokens.

    Returns:
        ``form``: answers that parse; ``grounded``: quotes that stand in the note, of all quotes;
            ``diagnosis`` and
        ``first_node``: answers with the gold diagnosis, and whose first step supports the gold
            path's first node.
    """
    counts = dict.fromkeys(("form", "diagnosis", "first_node"), 0)
    quotes = grounded = 0
    training = model.training
    model.eval()
    try:
        for case in cases:
            if case.gold is None:
                continue
            text = CUE + _answer(model, encoder, case, room)
            try:
                answer = parse(text)
            except InputError:
                continue
            counts["form"] += bool(answer.steps)
            counts["diagnosis"] += answer.diagnosis == case.gold.diagnosis
            counts["first_node"] += bool(
                answer.steps and answer.steps[0].supports == case.gold.path[0],
            )
            note = flatten(readable(case.case.note))
            quotes += len(answer.steps)
            grounded += sum(flatten(step.quote) in note for step in answer.steps)
    finally:
        model.train(training)
    total = max(1, len(cases))
    return {key: value / total for key, value in counts.items()} | {
        "grounded": grounded / quotes if quotes else 0.0,
    }


def _answer(model: Any, encoder: Encoder, case: AnnotatedCase, room: int) -> str:
    import torch

    prompt = encoder.prompt_ids(readable(case.case.note))
    inputs = torch.tensor([prompt], device=model.device)
    end = encoder.tokenizer.eos_token_id
    narrow = model.dtype != torch.float32
    casts = torch.autocast(model.device.type, dtype=model.dtype, enabled=narrow)
    # The adapter is 32-bit, whatever the base is.
    with torch.inference_mode(), casts:
        written = model.generate(
            input_ids=inputs,
            attention_mask=torch.ones_like(inputs),
            max_new_tokens=room,
            do_sample=False,
            use_cache=True,
            eos_token_id=end,
            pad_token_id=end,
        )
    return str(encoder.tokenizer.decode(written[0, len(prompt) :], skip_special_tokens=True))
