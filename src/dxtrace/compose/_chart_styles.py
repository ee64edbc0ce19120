"""The styles of training notes in sections and lists, as hospitals and examiners write them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dxtrace.compose._headings import (
    ALLERGIES,
    CC,
    EXAM,
    FAMILY,
    HPI,
    IMAGING,
    LABS,
    MEDICATIONS,
    PMH,
    RESULTS,
    ROS,
    SOCIAL,
)
from dxtrace.compose._style import FULL, MIXED, TERSE, Part, Style

ADMISSION = Style(
    "admission-note",
    "hospital",
    (
        Part(
            ("cc",),
            headings=CC,
            layout="commas",
            registers=(0.5, 0.4, 0.1),
        ),
        Part(
            ("opener", "story", "denials", "course", "ed"),
            headings=HPI,
            layout="prose",
            registers=FULL,
        ),
        Part(
            ("ros",),
            headings=ROS,
            layout="lines",
            registers=TERSE,
            share=0.85,
        ),
        Part(
            ("pmh", "psh"),
            headings=PMH,
            layout="dashes",
            registers=TERSE,
        ),
        Part(
            ("meds",),
            headings=MEDICATIONS,
            layout="numbers",
            registers=TERSE,
            share=0.9,
        ),
        Part(
            ("allergies",),
            headings=ALLERGIES,
            layout="commas",
            registers=TERSE,
            share=0.8,
        ),
        Part(
            ("social",),
            headings=SOCIAL,
            layout="prose",
            registers=MIXED,
            share=0.9,
        ),
        Part(
            ("family",),
            headings=FAMILY,
            layout="prose",
            registers=MIXED,
            share=0.9,
        ),
        Part(
            ("vitals", "exam"),
            headings=EXAM,
            layout="lines",
            registers=(0.65, 0.35, 0),
        ),
        Part(
            ("labs",),
            headings=LABS,
            layout="lines",
            registers=TERSE,
        ),
        Part(
            ("imaging",),
            headings=IMAGING,
            layout="lines",
            registers=(0.3, 0.7, 0),
        ),
    ),
    "long",
    ("dense", "chart", "table"),
    weight=1.5,
    findings=(7, 12),
    negatives=(5, 8),
    lookalikes=(1, 2),
    neutral=(2, 5),
    denials=(5, 12),
    normal_exam=0.95,
    normal_tests=(12, 30),
    studies=(1, 4),
    course=(1, 4),
    reports=0.4,
    abbreviates=0.3,
    typos=0.2,
    masks=0.5,
    wraps=0.25,
)


SIX_SECTIONS = Style(
    "six-sections",
    "hospital",
    (
        Part(
            ("cc",),
            headings=("Chief Complaint",),
            layout="commas",
            registers=(0.6, 0.35, 0.05),
            share=0.95,
        ),
        Part(
            ("opener", "story", "denials", "course", "ed"),
            headings=("History of Present Illness",),
            layout="prose",
            registers=(0.15, 0.8, 0.05),
        ),
        Part(
            ("pmh", "psh"),
            headings=("Past Medical History",),
            layout="plus",
            registers=TERSE,
        ),
        Part(
            ("family",),
            headings=("Family History",),
            layout="prose",
            registers=MIXED,
            share=0.8,
        ),
        Part(
            ("vitals", "exam"),
            headings=("Physical Exam",),
            layout="lines",
            registers=(0.7, 0.3, 0),
        ),
        Part(
            ("labs", "imaging"),
            headings=("Pertinent Results",),
            layout="lines",
            registers=(0.4, 0.6, 0),
        ),
    ),
    "long",
    ("dense", "chart"),
    weight=1.6,
    findings=(7, 12),
    lookalikes=(1, 2),
    neutral=(1, 3),
    denials=(3, 8),
    normal_exam=0.85,
    normal_tests=(8, 20),
    studies=(0, 2),
    course=(0, 2),
    abbreviates=0.4,
    typos=0.3,
    masks=0.8,
    reports=0.3,
)


_LONG: dict[str, Any] = {
    "findings": (8, 12),
    "negatives": (8, 13),
    "lookalikes": (2, 3),
    "neutral": (4, 9),
    "denials": (5, 12),
    "normal_exam": 1.0,
    "normal_tests": (30, 34),
    "studies": (5, 9),
    "course": (11, 19),
    "most_comorbidities": 8,
    "long": True,
    "reports": 0.9,
}


SIX_SECTIONS_LONG = replace(
    SIX_SECTIONS,
    name="six-sections-long",
    weight=2.8,
    parts=(
        SIX_SECTIONS.parts[0],
        replace(
            SIX_SECTIONS.parts[1],
            blocks=("opener", "story", "denials", "course", "ed", "ros"),
        ),
        *SIX_SECTIONS.parts[2:],
    ),
    prints=("dense", "chart", "table"),
    **_LONG,
)


FULL_ADMISSION = replace(
    ADMISSION,
    name="full-admission",
    weight=4.4,
    prints=("table", "dense", "columns", "chart"),
    **_LONG,
)


DICTATED = Style(
    "dictated",
    "dictated",
    (
        Part(
            ("cc",),
            headings=CC,
            layout="prose",
            registers=(0.4, 0.4, 0.2),
        ),
        Part(
            ("opener", "story", "denials", "course"),
            headings=("History of Present Illness", "Present illness"),
            layout="prose",
            registers=FULL,
        ),
        Part(
            ("pmh",),
            headings=("Past Medical History",),
            layout="prose",
            registers=FULL,
        ),
        Part(
            ("psh",),
            headings=("Past Surgical History",),
            layout="prose",
            registers=FULL,
            share=0.8,
        ),
        Part(
            ("meds",),
            headings=("Medications", "Current Medications", "Home Medications"),
            layout="prose",
            registers=FULL,
            share=0.9,
        ),
        Part(
            ("allergies",),
            headings=("Allergies",),
            layout="prose",
            registers=FULL,
            share=0.8,
        ),
        Part(
            ("family",),
            headings=("Family History",),
            layout="prose",
            registers=FULL,
            share=0.9,
        ),
        Part(
            ("social",),
            headings=("Social History",),
            layout="prose",
            registers=FULL,
            share=0.9,
        ),
        Part(
            ("ros",),
            headings=("Review of Systems",),
            layout="prose",
            registers=FULL,
            share=0.8,
        ),
        Part(
            ("vitals", "exam"),
            headings=("Physical Examination",),
            layout="prose",
            registers=FULL,
        ),
        Part(
            ("labs", "imaging"),
            headings=("Laboratory Data", "Diagnostic Studies", "Laboratory Studies"),
            layout="prose",
            registers=FULL,
        ),
    ),
    "prose",
    ("prose",),
    weight=1.2,
    findings=(6, 12),
    neutral=(1, 4),
    denials=(4, 10),
    normal_exam=0.9,
    normal_tests=(4, 14),
    studies=(1, 2),
    course=(0, 2),
    heading="caps",
    wraps=0.5,
    masks=0.4,
)


CONSULT = Style(
    "consult",
    "consult",
    (
        Part(
            ("reason",),
            headings=("Reason for consult", "Reason for consultation", "Reason for referral"),
            layout="prose",
            registers=(0.5, 0.5, 0),
        ),
        Part(
            ("opener", "story", "denials", "course"),
            headings=("HPI", "History of Present Illness", "Interval history"),
            layout="prose",
            registers=MIXED,
        ),
        Part(
            ("pmh", "psh"),
            headings=PMH,
            layout="numbers",
            registers=TERSE,
        ),
        Part(
            ("meds",),
            headings=MEDICATIONS,
            layout="lines",
            registers=TERSE,
            share=0.8,
        ),
        Part(
            ("social",),
            headings=SOCIAL,
            layout="semicolons",
            registers=TERSE,
            share=0.6,
        ),
        Part(
            ("family",),
            headings=FAMILY,
            layout="semicolons",
            registers=MIXED,
            share=0.7,
        ),
        Part(
            ("vitals", "exam"),
            headings=EXAM,
            layout="lines",
            registers=MIXED,
        ),
        Part(
            ("labs", "imaging"),
            headings=RESULTS,
            layout="lines",
            registers=MIXED,
        ),
    ),
    "short",
    ("dense", "columns", "table"),
    findings=(6, 11),
    denials=(2, 6),
    normal_exam=0.7,
    normal_tests=(5, 16),
    abbreviates=0.4,
    typos=0.3,
    heading="stars",
    masks=0.5,
)
