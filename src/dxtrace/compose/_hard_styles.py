"""The styles of the hard test: no training note is written so."""

from __future__ import annotations

from dxtrace.compose._style import TERSE, Part, Style

CLERKING = Style(
    "clerking",
    "clerking",
    (
        Part(("cc",), ("PC",), "commas", (0.6, 0.2, 0.2)),
        Part(("opener", "story", "denials"), ("HPC",), "stops", (0.7, 0.25, 0.05)),
        Part(("pmh", "psh"), ("PMH",), "lines", TERSE),
        Part(("meds",), ("DH", "Drug history"), "lines", TERSE, 0.9),
        Part(("allergies",), ("Allergies",), "commas", TERSE, 0.8),
        Part(("family",), ("FH",), "commas", TERSE, 0.7),
        Part(("social",), ("SH",), "stops", TERSE, 0.8),
        Part(("vitals", "exam"), ("O/E",), "lines", TERSE),
        Part(("labs",), ("Bloods",), "lines", TERSE),
        Part(("imaging",), ("Investigations",), "lines", TERSE),
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
            ("Case presentation", "Clinical presentation"),
            "prose",
            (0, 1, 0),
        ),
        Part(
            ("vitals", "exam"),
            ("Clinical examination", "Physical findings"),
            "prose",
            (0, 1, 0),
        ),
        Part(
            ("labs", "imaging"),
            ("Investigations", "Ancillary studies"),
            "prose",
            (0, 1, 0),
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
            ("Chief complaint", "Presenting problem"),
            "prose",
            (0.4, 0.4, 0.2),
            0.8,
        ),
        Part(
            ("opener", "story", "denials"),
            ("History", "Present illness"),
            "prose",
            (0.2, 0.7, 0.1),
        ),
        Part(
            ("pmh", "psh", "meds"),
            ("Background", "Past history"),
            "dashes",
            TERSE,
        ),
        Part(("social",), ("Social history",), "dashes", TERSE, 0.6),
        Part(("family",), ("Family history",), "dashes", TERSE, 0.5),
        Part(("vitals", "exam"), ("Examination",), "dashes", (0.5, 0.5, 0)),
        Part(("labs", "imaging"), ("Investigations",), "dashes", (0.5, 0.5, 0)),
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
            (),
            "prose",
            (0, 0.95, 0.05),
        ),
        Part(("labs",), ("Laboratory studies",), "lines", TERSE),
        Part(("imaging", "question"), (), "prose", (0, 1, 0)),
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
