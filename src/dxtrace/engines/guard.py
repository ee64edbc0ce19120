"""Checks that a text keeps to its grammar, made outside the engine that wrote it: llama.cpp fails
open.
"""

from __future__ import annotations

from dxtrace.errors import EngineError


def check_grammar(grammar: str) -> None:
    """Check a Lark grammar.

    Raises:
        EngineError: it is invalid. The message does not repeat it: a grammar holds the note.
    """
    from llguidance import LLMatcher

    if LLMatcher.validate_grammar(grammar, None):
        raise EngineError("the grammar of the answer is not valid")


class Guard:
    """Follows a text through its grammar, byte by byte, whatever the engine's own tokens are."""

    def __init__(self, grammar: str) -> None:
        """Start at the beginning of a text.

        Raises:
            EngineError: the grammar is invalid.
        """
        from llguidance import LLMatcher, LLTokenizer

        check_grammar(grammar)
        self._matcher = LLMatcher(LLTokenizer("byte"), grammar, log_level=0)

    def feed(self, text: str) -> None:
        """Follow the next piece of the text.

        Raises:
            EngineError: the grammar does not allow it.
        """
        data = list(text.encode("utf-8"))
        if self._matcher.try_consume_tokens(data) != len(data):
            raise EngineError("the model left the grammar of the answer")

    def finish(self) -> None:
        """Check that the text may end here.

        Raises:
            EngineError: it may not.
        """
        if not (self._matcher.is_accepting() or self._matcher.is_stopped()):
            raise EngineError("the text broke off before the grammar accepted it")
