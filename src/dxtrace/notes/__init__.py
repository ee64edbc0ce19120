"""A note: its text and sections, what may be quoted from it, and the prompt made from it."""

from dxtrace.notes.case import MAX_CHARACTERS, Case
from dxtrace.notes.locate import locate
from dxtrace.notes.quotes import MAX_QUOTE, Quote, find_quotes, span_of
from dxtrace.notes.reading import read_case, read_cases
from dxtrace.notes.sections import SECTIONS, Section

__all__ = [
    "MAX_CHARACTERS",
    "MAX_QUOTE",
    "SECTIONS",
    "Case",
    "Quote",
    "Section",
    "find_quotes",
    "locate",
    "read_case",
    "read_cases",
    "span_of",
]
