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
from dxtrace.compose._story_styles import (
    PATIENT_STORY,
    PRACTICE_NOTE,
    QUESTION_ONLINE,
    REFERRAL,
)
from dxtrace.compose._style import Style

#: Every style, those of the hard test and of the test of stories last.
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
    PATIENT_STORY,
    PRACTICE_NOTE,
    CLERKING,
    PRESENTATION,
    MARKDOWN,
    BOARD_QUESTION,
    QUESTION_ONLINE,
    REFERRAL,
)
