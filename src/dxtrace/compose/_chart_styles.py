"""The styles of training notes in sections and lists, as hospitals and examiners write them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dxtrace.compose._style import FULL, MIXED, TERSE, Part, Style

_CC = (
    "Chief Complaint",
    "CC",
    "Chief complaint",
    "Presenting complaint",
    "Reason for visit",
    "Chief Concern",
)


_HPI = (
    "History of Present Illness",
    "HPI",
    "History of the Present Illness",
    "Present illness",
    "History of presenting illness",
)


_PMH = (
    "Past Medical History",
    "PMH",
    "Past medical history",
    "PMHx",
    "Past Medical Hx",
    "Past history",
    "Medical history",
)


_PSH = ("Past Surgical History", "PSH", "Surgical history")


_MEDS = (
    "Medications",
    "Home Medications",
    "Meds",
    "Medications on Admission",
    "Current medications",
    "Home meds",
)


_ALL = ("Allergies", "ALL", "Allergies")


_SOC = ("Social History", "SH", "Social hx", "Soc Hx", "SocHx")


_FAM = ("Family History", "FH", "FHx", "Family hx", "FamHx")


_ROS = ("Review of Systems", "ROS")


_EXAM = (
    "Physical Exam",
    "Physical Examination",
    "Exam",
    "Admission Physical Exam",
    "Examination",
    "Physical examination",
)


_LABS = (
    "Labs",
    "Laboratory data",
    "Laboratory results",
    "Admission Labs",
    "Lab results",
    "Laboratory studies",
)


_IMAGING = ("Imaging", "Studies", "Imaging studies", "Diagnostic studies", "Imaging")


_RESULTS = ("Pertinent Results", "Results", "Data", "Diagnostics", "Labs/Studies")


_STORY = ("opener", "story", "denials", "course")


RESIDENT = Style(
    "resident-hp",
    "telegraphic",
    (
        Part(("cc",), ("CC", "Chief Complaint", "Chief complaint"), "commas", TERSE, 0.85),
        Part(_STORY, ("HPI", "History of Present Illness", "Present illness"), "stops", TERSE),
        Part(("ros",), _ROS, "semicolons", TERSE, 0.4),
        Part(("pmh", "psh"), ("PMH", "PMHx", "PMH/PSH", "Past Medical History"), "commas", TERSE),
        Part(("meds",), ("Meds", "Home meds", "Medications"), "commas", TERSE, 0.7),
        Part(("allergies",), ("All", "Allergies", "ALL"), "commas", TERSE, 0.5),
        Part(("social",), ("SH", "Social hx", "SHx"), "semicolons", TERSE, 0.6),
        Part(("family",), ("FH", "FHx", "Family hx"), "semicolons", TERSE, 0.6),
        Part(("vitals",), ("VS", "Vitals", "Vital signs"), "lines", TERSE),
        Part(("exam",), ("Exam", "PE", "Physical Exam", "O/E"), "lines", TERSE),
        Part(("labs",), ("Labs", "Lab results", "Data"), "lines", TERSE),
        Part(("imaging",), ("Imaging", "Studies", "Imaging studies"), "lines", TERSE),
    ),
    "short",
    ("short", "pipes", "dense"),
    weight=1.4,
    abbreviates=0.7,
    typos=0.5,
    heading="inline",
    gap="\n",
)


ADMISSION = Style(
    "admission-note",
    "hospital",
    (
        Part(("cc",), _CC, "commas", (0.5, 0.4, 0.1)),
        Part(("opener", "story", "denials", "course", "ed"), _HPI, "prose", FULL),
        Part(("ros",), _ROS, "lines", TERSE, 0.85),
        Part(("pmh", "psh"), _PMH, "dashes", TERSE),
        Part(("meds",), _MEDS, "numbers", TERSE, 0.9),
        Part(("allergies",), _ALL, "commas", TERSE, 0.8),
        Part(("social",), _SOC, "prose", MIXED, 0.9),
        Part(("family",), _FAM, "prose", MIXED, 0.9),
        Part(("vitals", "exam"), _EXAM, "lines", (0.65, 0.35, 0)),
        Part(("labs",), _LABS, "lines", TERSE),
        Part(("imaging",), _IMAGING, "lines", (0.3, 0.7, 0)),
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
        Part(("cc",), ("Chief Complaint",), "commas", (0.6, 0.35, 0.05), 0.95),
        Part(
            ("opener", "story", "denials", "course", "ed"),
            ("History of Present Illness",),
            "prose",
            (0.15, 0.8, 0.05),
        ),
        Part(("pmh", "psh"), ("Past Medical History",), "plus", TERSE),
        Part(("family",), ("Family History",), "prose", MIXED, 0.8),
        Part(("vitals", "exam"), ("Physical Exam",), "lines", (0.7, 0.3, 0)),
        Part(("labs", "imaging"), ("Pertinent Results",), "lines", (0.4, 0.6, 0)),
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


TRIAGE = Style(
    "ed-triage",
    "triage",
    (
        Part(
            ("cc",), ("Triage complaint", "CC", "Reason for visit"), "commas", (0.5, 0.3, 0.2), 0.7
        ),
        Part(
            ("opener", "story", "denials"),
            ("HPI", "Narrative", "History"),
            "stops",
            (0.6, 0.2, 0.2),
        ),
        Part(("pmh", "meds"), ("PMH/Meds", "PMHx/Meds"), "semicolons", TERSE, 0.85),
        Part(("allergies",), ("Allergies", "ALL"), "commas", TERSE, 0.6),
        Part(("vitals",), ("VS", "Vitals", "Initial vitals"), "lines", TERSE),
        Part(("exam",), ("Exam", "Objective"), "stops", TERSE, 1),
        Part(
            ("labs", "imaging"),
            ("Workup", "Results", "Labs/imaging", "ED course"),
            "semicolons",
            TERSE,
            1,
        ),
    ),
    "short",
    ("short", "pipes"),
    findings=(4, 8),
    negatives=(4, 5),
    lookalikes=(0, 1),
    neutral=(0, 1),
    denials=(0, 3),
    normal_exam=0.3,
    normal_tests=(0, 5),
    studies=(0, 1),
    course=(0, 0),
    most_comorbidities=4,
    abbreviates=0.8,
    typos=0.6,
    heading="inline",
    gap="\n",
    systems=False,
)


OSCE = Style(
    "osce-record",
    "record",
    (
        Part(("opener",), ("Demographics", "Patient", "Presentation"), "prose", (0, 1, 0)),
        Part(("cc",), ("Presenting problem", "Chief complaint"), "commas", (0.4, 0.4, 0.2), 0.6),
        Part(
            ("story",),
            ("History", "Clinical history", "Patient presentation"),
            "prose",
            (0.1, 0.8, 0.1),
        ),
        Part(("ros", "denials"), ("Review of Systems",), "prose", FULL, 0.9),
        Part(("pmh", "psh", "meds"), ("Past Medical History",), "prose", FULL),
        Part(("social",), ("Social History",), "prose", FULL, 0.9),
        Part(("family",), ("Family History",), "prose", FULL, 0.7),
        Part(("vitals",), ("Vital Signs",), "lines", TERSE),
        Part(("exam",), ("Physical Examination", "Physical findings"), "lines", (0.2, 0.8, 0)),
        Part(("labs",), ("Test Results", "Tests", "Laboratory findings"), "lines", (0.5, 0.5, 0)),
        Part(("imaging",), ("Imaging", "Diagnostic tests"), "lines", (0.2, 0.8, 0)),
    ),
    "list",
    ("table", "columns"),
    findings=(4, 9),
    neutral=(0, 2),
    denials=(2, 5),
    normal_exam=0.5,
    normal_tests=(1, 8),
    heading="inline",
    gap="\n",
)


BULLETED = Style(
    "bulleted",
    "telegraphic",
    (
        Part(
            ("cc",),
            ("Presenting complaint", "Chief complaint", "CC"),
            "bullets",
            (0.5, 0.4, 0.1),
            0.8,
        ),
        Part(
            ("opener", "story", "denials"),
            ("HPI", "History", "Present illness"),
            "bullets",
            (0.6, 0.35, 0.05),
        ),
        Part(("pmh", "psh"), _PMH, "bullets", TERSE),
        Part(("meds",), _MEDS, "bullets", TERSE, 0.7),
        Part(("social",), ("Social history", "Personal history"), "bullets", TERSE, 0.7),
        Part(("family",), ("Family history", "FHx"), "bullets", TERSE, 0.6),
        Part(
            ("vitals", "exam"),
            ("Examination", "Exam", "Physical findings"),
            "bullets",
            (0.7, 0.3, 0),
        ),
        Part(("labs", "imaging"), ("Investigations", "Results", "Tests"), "bullets", (0.7, 0.3, 0)),
    ),
    "short",
    ("short", "table", "pipes"),
    findings=(5, 10),
    denials=(1, 4),
    normal_exam=0.5,
    abbreviates=0.5,
    typos=0.3,
)


DICTATED = Style(
    "dictated",
    "dictated",
    (
        Part(("cc",), _CC, "prose", (0.4, 0.4, 0.2)),
        Part(
            ("opener", "story", "denials", "course"),
            ("History of Present Illness", "Present illness"),
            "prose",
            FULL,
        ),
        Part(("pmh",), ("Past Medical History",), "prose", FULL),
        Part(("psh",), ("Past Surgical History",), "prose", FULL, 0.8),
        Part(
            ("meds",),
            ("Medications", "Current Medications", "Home Medications"),
            "prose",
            FULL,
            0.9,
        ),
        Part(("allergies",), ("Allergies",), "prose", FULL, 0.8),
        Part(("family",), ("Family History",), "prose", FULL, 0.9),
        Part(("social",), ("Social History",), "prose", FULL, 0.9),
        Part(("ros",), ("Review of Systems",), "prose", FULL, 0.8),
        Part(("vitals", "exam"), ("Physical Examination",), "prose", FULL),
        Part(
            ("labs", "imaging"),
            ("Laboratory Data", "Diagnostic Studies", "Laboratory Studies"),
            "prose",
            FULL,
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


SOAP = Style(
    "soap",
    "telegraphic",
    (
        Part(("opener", "story", "denials"), ("Subjective",), "stops", (0.55, 0.4, 0.05)),
        Part(("pmh", "psh"), ("PMH", "PMHx"), "commas", TERSE, 0.9),
        Part(("meds",), ("Meds", "Medications"), "commas", TERSE, 0.7),
        Part(("social",), ("Social history", "SH"), "semicolons", TERSE, 0.5),
        Part(("family",), ("Family history", "FH"), "semicolons", TERSE, 0.4),
        Part(("vitals", "exam"), ("Objective",), "lines", TERSE),
        Part(("labs", "imaging"), ("Data", "Labs", "Results"), "stops", TERSE),
    ),
    "short",
    ("short", "pipes"),
    findings=(4, 9),
    neutral=(0, 2),
    denials=(1, 4),
    normal_exam=0.5,
    abbreviates=0.6,
    typos=0.4,
    heading="inline",
    gap="\n\n",
)


CONSULT = Style(
    "consult",
    "consult",
    (
        Part(
            ("reason",),
            ("Reason for consult", "Reason for consultation", "Reason for referral"),
            "prose",
            (0.5, 0.5, 0),
        ),
        Part(
            ("opener", "story", "denials", "course"),
            ("HPI", "History of Present Illness", "Interval history"),
            "prose",
            MIXED,
        ),
        Part(("pmh", "psh"), _PMH, "numbers", TERSE),
        Part(("meds",), _MEDS, "lines", TERSE, 0.8),
        Part(("social",), _SOC, "semicolons", TERSE, 0.6),
        Part(("family",), _FAM, "semicolons", MIXED, 0.7),
        Part(("vitals", "exam"), _EXAM, "lines", MIXED),
        Part(("labs", "imaging"), _RESULTS, "lines", MIXED),
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


HANDOFF = Style(
    "hand-off",
    "telegraphic",
    (
        Part(("opener", "story", "denials", "pmh"), (), "semicolons", TERSE),
        Part(("vitals", "exam", "labs", "imaging"), (), "semicolons", TERSE),
    ),
    "short",
    ("short",),
    weight=0.8,
    findings=(3, 7),
    negatives=(4, 4),
    lookalikes=(0, 1),
    neutral=(0, 1),
    denials=(0, 1),
    normal_exam=0.1,
    normal_tests=(0, 2),
    studies=(0, 1),
    course=(0, 0),
    most_comorbidities=3,
    abbreviates=0.8,
    typos=0.5,
    gap="\n",
    systems=False,
)
