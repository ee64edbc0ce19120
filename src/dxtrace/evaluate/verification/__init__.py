"""Checking the quotes of anybody's answer against a note: in the text, whole, and for their reason."""

from dxtrace.evaluate.verification.claims import Claim, QuotedAnswer, read_answer
from dxtrace.evaluate.verification.clipping import Fault
from dxtrace.evaluate.verification.quotes import AnswerCheck, QuoteCheck, verify_quotes

__all__ = [
    "AnswerCheck",
    "Claim",
    "Fault",
    "QuoteCheck",
    "QuotedAnswer",
    "read_answer",
    "verify_quotes",
]
