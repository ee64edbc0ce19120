"""Short presentations without tests, as patients and family physicians tell them.

Nothing is measured in a laboratory or seen on an image; what a patient tells has no examination
either. Two styles are those of training, two those of the test of stories.
"""

from __future__ import annotations

from dxtrace.compose._style import Part, Style

#: Sections that a story lacks: as a patient tells it, and as a family physician does.
_OF_PATIENTS = frozenset({"physical_exam", "pertinent_results"})
_OF_PHYSICIANS = frozenset({"pertinent_results"})

#: How often a patient's wording is terse, full, lay; and a family physician's.
_LAY = (0.05, 0.35, 0.6)
_PLAIN = (0.25, 0.6, 0.15)

PATIENT_STORY = Style(
    "patient-story",
    "told",
    (
        Part(
            ("opener", "story", "denials", "pmh", "meds", "social", "family"),
            layout="prose",
            registers=_LAY,
        ),
    ),
    "prose",
    ("prose",),
    weight=6.0,
    findings=(3, 6),
    negatives=(1, 4),
    lookalikes=(0, 1),
    neutral=(0, 1),
    denials=(0, 2),
    course=(0, 0),
    most_comorbidities=2,
    typos=0.2,
    gap=" ",
    systems=False,
    without=_OF_PATIENTS,
)


PRACTICE_NOTE = Style(
    "practice-note",
    "practice",
    (
        Part(
            ("opener", "story", "denials"),
            layout="prose",
            registers=_PLAIN,
        ),
        Part(
            ("pmh", "meds", "social", "family"),
            layout="prose",
            registers=_PLAIN,
            share=0.7,
        ),
        Part(
            ("vitals", "exam"),
            layout="prose",
            registers=_PLAIN,
            share=0.5,
        ),
    ),
    "short",
    ("prose",),
    weight=6.0,
    findings=(3, 7),
    negatives=(2, 5),
    lookalikes=(0, 1),
    neutral=(0, 1),
    denials=(0, 3),
    normal_exam=0.15,
    course=(0, 0),
    most_comorbidities=2,
    abbreviates=0.2,
    gap=" ",
    systems=False,
    without=_OF_PHYSICIANS,
)


QUESTION_ONLINE = Style(
    "question-online",
    "told",
    (
        Part(
            ("cc",),
            layout="commas",
            registers=_LAY,
            share=0.5,
        ),
        Part(
            ("opener", "story"),
            layout="prose",
            registers=_LAY,
        ),
        Part(
            ("denials", "pmh", "meds", "family", "social"),
            layout="prose",
            registers=_LAY,
        ),
    ),
    "prose",
    ("prose",),
    hard=True,
    findings=(3, 6),
    negatives=(1, 4),
    lookalikes=(0, 1),
    neutral=(0, 1),
    denials=(0, 2),
    course=(0, 0),
    most_comorbidities=2,
    typos=0.3,
    gap="\n",
    systems=False,
    without=_OF_PATIENTS,
)


REFERRAL = Style(
    "referral",
    "practice",
    (
        Part(
            ("opener", "story", "denials"),
            layout="stops",
            registers=_PLAIN,
        ),
        Part(
            ("vitals", "exam"),
            layout="stops",
            registers=_PLAIN,
            share=0.5,
        ),
        Part(
            ("pmh", "meds", "family", "social"),
            layout="stops",
            registers=_PLAIN,
        ),
    ),
    "short",
    ("short",),
    hard=True,
    findings=(3, 7),
    negatives=(2, 5),
    lookalikes=(0, 1),
    neutral=(0, 1),
    denials=(0, 3),
    normal_exam=0.15,
    course=(0, 0),
    most_comorbidities=2,
    abbreviates=0.2,
    gap="\n",
    systems=False,
    without=_OF_PHYSICIANS,
)
