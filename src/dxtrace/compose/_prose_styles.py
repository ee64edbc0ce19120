"""The styles of training notes in running prose: letters, case reports, examination questions."""

from __future__ import annotations

from dxtrace.compose._style import FULL, Part, Style

LETTER = Style(
    "clinic-letter",
    "letter",
    (
        Part(
            ("salutation",),
            layout="prose",
            registers=FULL,
        ),
        Part(
            ("opener", "story", "denials"),
            layout="prose",
            registers=(0, 0.9, 0.1),
        ),
        Part(
            ("pmh", "psh", "meds", "social", "family"),
            layout="prose",
            registers=FULL,
        ),
        Part(
            ("vitals", "exam"),
            layout="prose",
            registers=FULL,
        ),
        Part(
            ("labs", "imaging"),
            layout="prose",
            registers=FULL,
        ),
        Part(
            ("closing",),
            layout="prose",
            registers=FULL,
        ),
    ),
    "prose",
    ("prose",),
    findings=(5, 10),
    lookalikes=(1, 2),
    neutral=(1, 3),
    denials=(1, 4),
    normal_exam=0.5,
    normal_tests=(1, 6),
    planned=True,
    systems=False,
    masks=0.6,
    wraps=0.2,
)


REPORT = Style(
    "case-report",
    "report",
    (
        Part(
            ("opener", "story", "denials"),
            layout="prose",
            registers=(0, 1, 0),
        ),
        Part(
            ("pmh", "psh", "meds", "social", "family"),
            layout="prose",
            registers=(0, 1, 0),
        ),
        Part(
            ("vitals", "exam"),
            layout="prose",
            registers=(0, 1, 0),
        ),
        Part(
            ("labs", "imaging"),
            layout="prose",
            registers=(0, 1, 0),
        ),
    ),
    "prose",
    ("prose",),
    weight=2.0,
    findings=(5, 11),
    lookalikes=(1, 2),
    neutral=(1, 3),
    denials=(1, 4),
    normal_exam=0.5,
    normal_tests=(1, 9),
    systems=False,
)


VIGNETTE = Style(
    "vignette",
    "vignette",
    (
        Part(
            ("opener", "story", "denials", "pmh", "meds", "social", "family"),
            layout="prose",
            registers=(0, 0.93, 0.07),
        ),
        Part(
            ("vitals", "exam", "labs", "imaging", "question"),
            layout="prose",
            registers=(0, 1, 0),
        ),
    ),
    "prose",
    ("prose",),
    weight=2.0,
    findings=(3, 7),
    negatives=(4, 4),
    lookalikes=(0, 2),
    neutral=(0, 1),
    denials=(0, 1),
    normal_exam=0.25,
    normal_tests=(0, 5),
    studies=(0, 1),
    course=(0, 0),
    most_comorbidities=3,
    gap=" ",
    systems=False,
)
