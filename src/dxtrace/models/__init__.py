"""What can be loaded by name: fetch, verify, convert, merge, open."""

from dxtrace.models.opening import (
    Opened,
    open_model,
    read_calibration,
    shipped_adapter,
)
from dxtrace.models.store import DEFAULT, PACKAGED, Packaged, home

__all__ = [
    "DEFAULT",
    "PACKAGED",
    "Opened",
    "Packaged",
    "home",
    "open_model",
    "read_calibration",
    "shipped_adapter",
]
