"""``dxtrace schema``: the contract of a result."""

from __future__ import annotations

from dxtrace.chain.result import result_schema


def schema() -> None:
    """Print the JSON Schema of a result."""
    print(result_schema(), end="")
