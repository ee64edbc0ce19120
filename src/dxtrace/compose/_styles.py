"""All styles of notes: those of training, then those that only the hard test has."""

from __future__ import annotations

from dxtrace.compose._chart_styles import (
    ADMISSION,
    CONSULT,
    DICTATED,
    FULL_ADMISSION,
    SIX_SECTIONS,
    SIX_SECTIONS_LONG,
)
from dxtrace.compose._hard_styles import (
    BOARD_QUESTION,
    CLERKING,
    MARKDOWN,
    PRESENTATION,
)
from dxtrace.compose._prose_styles import LETTER, REPORT, VIGNETTE
from dxtrace.compose._short_styles import BULLETED, HANDOFF, OSCE, RESIDENT, SOAP, TRIAGE
from dxtrace.compose._style import Style

#: Every style, those of the hard test last.
STYLES: tuple[Style, ...] = (
    RESIDENT,
    ADMISSION,
    FULL_ADMISSION,
    SIX_SECTIONS,
    SIX_SECTIONS_LONG,
    TRIAGE,
    LETTER,
    REPORT,
    VIGNETTE,
    OSCE,
    BULLETED,
    DICTATED,
    SOAP,
    CONSULT,
    HANDOFF,
    CLERKING,
    PRESENTATION,
    MARKDOWN,
    BOARD_QUESTION,
)
