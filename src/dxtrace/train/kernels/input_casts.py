"""Casts of activations that an adapter does not need."""

from __future__ import annotations

from typing import Any


def leave_inputs_16bit(model: Any) -> None:
    """Let adapters take their inputs as they come; for use under autocast.

    PEFT casts every input to the 32 bits of the adapter, and autocast casts it back for the product:
    two passes over all activations of a layer that change no digit.
    """
    from peft.tuners.lora import LoraLayer

    for module in model.modules():
        # What DoRA multiplies, it multiplies outside of autocast's reach too.
        if isinstance(module, LoraLayer) and not module.lora_variant:
            module.cast_input_dtype_enabled = False
