"""The styles of the hard test: no training note is written so."""

from __future__ import annotations

from dxtrace.compose._style import TERSE, Part, Style

CLERKING = Style(
    "clerking",
    "clerking",
    (
        Part(
            ("cc",),
            headings=("PC",),
            layout="commas",
            registers=(0.6, 0.2, 0.2),
        ),
        Part(
            ("opener", "story", "denials"),
            headings=("HPC",),
            layout="stops",
            registers=(0.7, 0.25, 0.05),
        ),
        Part(
            ("pmh", "psh"),
            headings=("PMH",),
            layout="lines",
            registers=TERSE,
        ),
        Part(
            ("meds",),
            headings=("DH", "Drug history"),
            layout="lines",
            registers=TERSE,
            share=0.9,
        ),
        Part(
            ("allergies",),
            headings=("Allergies",),
            layout="commas",
            registers=TERSE,
            share=0.8,
        ),
        Part(
            ("family",),
            headings=("FH",),
            layout="commas",
            registers=TERSE,
            share=0.7,
        ),
        Part(
            ("social",),
            headings=("SH",),
            layout="stops",
            registers=TERSE,
            share=0.8,
        ),
        Part(
            ("vitals", "exam"),
            headings=("O/E",),
            layout="lines",
            registers=TERSE,
        ),
        Part(
            ("labs",),
            headings=("Bloods",),
            layout="lines",
            registers=TERSE,
        ),
        Part(
            ("imaging",),
            headings=("Investigations",),
            layout="lines",
            registers=TERSE,
        ),
    ),
    "obs",
    ("pipes", "short"),
    hard=True,
    abbreviates=0.5,
    typos=0.4,
    heading="inline",
    gap="\n",
)


PRESENTATION = Style(
    "case-presentation",
    "report",
    (
        Part(
            (
                "opener",
                "story",
                "denials",
                "pmh",
                "psh",
                "meds",
                "social",
                "family",
            ),
            headings=("Case presentation", "Clinical presentation"),
            layout="prose",
            registers=(0, 1, 0),
        ),
        Part(
            ("vitals", "exam"),
            headings=("Clinical examination", "Physical findings"),
            layout="prose",
            registers=(0, 1, 0),
        ),
        Part(
            ("labs", "imaging"),
            headings=("Investigations", "Ancillary studies"),
            layout="prose",
            registers=(0, 1, 0),
        ),
    ),
    "prose",
    ("prose",),
    hard=True,
    weight=1.5,
    findings=(6, 11),
    denials=(1, 4),
    normal_exam=0.5,
    normal_tests=(2, 10),
    systems=False,
)


MARKDOWN = Style(
    "markdown-record",
    "record",
    (
        Part(
            ("cc",),
            headings=("Chief complaint", "Presenting problem"),
            layout="prose",
            registers=(0.4, 0.4, 0.2),
            share=0.8,
        ),
        Part(
            ("opener", "story", "denials"),
            headings=("History", "Present illness"),
            layout="prose",
            registers=(0.2, 0.7, 0.1),
        ),
        Part(
            ("pmh", "psh", "meds"),
            headings=("Background", "Past history"),
            layout="dashes",
            registers=TERSE,
        ),
        Part(
            ("social",),
            headings=("Social history",),
            layout="dashes",
            registers=TERSE,
            share=0.6,
        ),
        Part(
            ("family",),
            headings=("Family history",),
            layout="dashes",
            registers=TERSE,
            share=0.5,
        ),
        Part(
            ("vitals", "exam"),
            headings=("Examination",),
            layout="dashes",
            registers=(0.5, 0.5, 0),
        ),
        Part(
            ("labs", "imaging"),
            headings=("Investigations",),
            layout="dashes",
            registers=(0.5, 0.5, 0),
        ),
    ),
    "list",
    ("table",),
    hard=True,
    findings=(6, 11),
    denials=(2, 5),
    normal_exam=0.6,
    heading="markdown",
)


BOARD_QUESTION = Style(
    "vignette-with-table",
    "vignette",
    (
        Part(
            (
                "opener",
                "story",
                "denials",
                "pmh",
                "meds",
                "social",
                "family",
                "vitals",
                "exam",
            ),
            layout="prose",
            registers=(0, 0.95, 0.05),
        ),
        Part(
            ("labs",),
            headings=("Laboratory studies",),
            layout="lines",
            registers=TERSE,
        ),
        Part(
            ("imaging", "question"),
            layout="prose",
            registers=(0, 1, 0),
        ),
    ),
    "prose",
    ("columns",),
    hard=True,
    weight=1.5,
    findings=(5, 9),
    negatives=(4, 4),
    lookalikes=(0, 2),
    neutral=(0, 1),
    denials=(0, 1),
    normal_exam=0.25,
    normal_tests=(3, 8),
    studies=(0, 1),
    course=(0, 0),
    most_comorbidities=3,
    gap="\n",
    systems=False,
)
