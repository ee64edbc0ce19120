"""The language-model head where it matters: log-probabilities at the targets alone.

A prompt is most of a row and has no targets. TRL's fused head skips it on CUDA only; this one does
so on CPUs, under the same call (``model(..., labels=..., fused_lm_head=True)``), so that the
trainer is the same everywhere.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Any

#: Targets whose logits exist at once.
CHUNK = 512


@dataclass
class HeadOutput:
    """``log_probs`` (batch, length - 1): log-probability of each next token, 0 where it is no
    target.
    """

    log_probs: Any


def add_target_head(model: Any) -> None:
    """Patch the forward of a causal language model (before or after TRL's patch), for
    ``fused_lm_head=True`` only.
    """
    original = model.forward

    def forward(
        self: Any,
        *args: Any,
        fused_lm_head: bool = False,
        labels: Any = None,
        **kwargs: Any,
    ) -> Any:
        if not fused_lm_head:
            return original(
                *args,
                **({"labels": labels} if labels is not None else {}),
                **kwargs,
            )
        kwargs["use_cache"] = False
        hidden = self.base_model(*args, **kwargs).last_hidden_state[:, :-1]
        targets = labels[:, 1:]
        mask = targets != -100
        head = self.get_output_embeddings()
        per_token = _log_probs(hidden[mask], targets[mask], head)
        return HeadOutput(per_token.new_zeros(mask.shape).masked_scatter(mask, per_token))

    model.forward = types.MethodType(forward, model)


def _log_probs(hidden: Any, targets: Any, head: Any) -> Any:
    """Return the log-probability (targets,) of each target after its hidden state (targets, width),
    in 32 bits.
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    def piece(states: Any, wanted: Any) -> Any:
        return -torch.nn.functional.cross_entropy(head(states).float(), wanted, reduction="none")

    if len(targets) <= CHUNK:
        return piece(hidden, targets)
    parts = zip(hidden.split(CHUNK), targets.split(CHUNK), strict=True)
    if not hidden.requires_grad:
        return torch.cat([piece(states, wanted) for states, wanted in parts])
    return torch.cat(
        [checkpoint(piece, states, wanted, use_reentrant=False) for states, wanted in parts],
    )
