"""Which number format a run computes in, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dxtrace.errors import InputError
from dxtrace.models.float32 import memory
from dxtrace.train.recipe import Precision


@dataclass(frozen=True)
class Device:
    """What the choice depends on: ``kind`` is cpu, cuda or mps; ``bf16`` says whether it has
    bfloat16 matrix units.
    """

    kind: str
    name: str
    bf16: bool


@dataclass(frozen=True)
class ChosenPrecision:
    """The format of matrix products and frozen weights, and the reason.

    Adapter and optimiser are 32-bit always.
    """

    name: str
    reason: str

    @property
    def dtype(self) -> Any:
        """The torch dtype."""
        import torch

        return {
            "fp32": torch.float32,
            "bf16": torch.bfloat16,
            "fp16": torch.float16,
        }[self.name]


def find_device() -> Device:
    """Return the device that a run would use on this machine."""
    import torch

    if torch.cuda.is_available():
        major, _ = torch.cuda.get_device_capability()
        return Device("cuda", torch.cuda.get_device_name(), bf16=major >= 8)
    if torch.backends.mps.is_available():
        return Device("mps", "Apple GPU", bf16=False)
    return Device("cpu", torch.backends.cpu.get_cpu_capability(), bf16=bool(_has_amx()))


def memory_of(device: Device) -> int:
    """Return the bytes of memory that a run on this device may fill."""
    import torch

    if device.kind == "cuda":
        return int(torch.cuda.get_device_properties(0).total_memory)
    return memory()


def _has_amx() -> bool:
    import torch

    check = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(check and check())


def choose_precision(wanted: Precision, device: Device) -> ChosenPrecision:
    """Return the number format for a run.

    Raises:
        InputError: the device cannot compute in the format asked for.
    """
    if wanted == "auto":
        return _automatic(device)
    if wanted == "fp16" and device.kind == "cpu":
        return ChosenPrecision("fp16", "asked for; a CPU emulates it: for tests, not for speed")
    if wanted == "bf16" and device.kind == "cuda" and not device.bf16:
        raise InputError(f"{device.name} has no bfloat16 units: set run.precision to fp16 or auto")
    reason = "asked for"
    if wanted == "bf16" and not device.bf16:
        reason += " (slow: this CPU has no bfloat16 matrix units)"
    return ChosenPrecision(wanted, reason)


def _automatic(device: Device) -> ChosenPrecision:
    if device.kind == "cpu":
        if device.bf16:
            return ChosenPrecision(
                "bf16",
                "this CPU has AMX tiles, which multiply bfloat16 several times faster than 32-bit floats",
            )
        return ChosenPrecision(
            "fp32",
            "this CPU has no AMX tiles; bfloat16 would be 4 to 10 times slower than 32-bit floats",
        )
    if device.kind == "mps":
        return ChosenPrecision("fp32", "half precision on Apple GPUs loses small updates")
    if device.bf16:
        return ChosenPrecision(
            "bf16",
            f"{device.name} has bfloat16 units; no loss scaling is needed",
        )
    return ChosenPrecision(
        "fp16",
        f"{device.name} has float16 units but none for bfloat16; losses are scaled, the adapter stays 32-bit",
    )
