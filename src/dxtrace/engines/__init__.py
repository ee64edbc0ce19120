"""Engines: programs that run a model behind one small protocol."""

from dxtrace.engines.base import Branch, Engine, PromptPart, Work

__all__ = ["Branch", "Engine", "PromptPart", "Work"]
