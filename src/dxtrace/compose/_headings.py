"""Headings of the sections of a note, as writers of charts vary them."""

from __future__ import annotations

CC = (
    "Chief Complaint",
    "CC",
    "Chief complaint",
    "Presenting complaint",
    "Reason for visit",
    "Chief Concern",
)


HPI = (
    "History of Present Illness",
    "HPI",
    "History of the Present Illness",
    "Present illness",
    "History of presenting illness",
)


PMH = (
    "Past Medical History",
    "PMH",
    "Past medical history",
    "PMHx",
    "Past Medical Hx",
    "Past history",
    "Medical history",
)


PSH = ("Past Surgical History", "PSH", "Surgical history")


MEDICATIONS = (
    "Medications",
    "Home Medications",
    "Meds",
    "Medications on Admission",
    "Current medications",
    "Home meds",
)


ALLERGIES = ("Allergies", "ALL", "Allergies")


SOCIAL = ("Social History", "SH", "Social hx", "Soc Hx", "SocHx")


FAMILY = ("Family History", "FH", "FHx", "Family hx", "FamHx")


ROS = ("Review of Systems", "ROS")


EXAM = (
    "Physical Exam",
    "Physical Examination",
    "Exam",
    "Admission Physical Exam",
    "Examination",
    "Physical examination",
)


LABS = (
    "Labs",
    "Laboratory data",
    "Laboratory results",
    "Admission Labs",
    "Lab results",
    "Laboratory studies",
)


IMAGING = ("Imaging", "Studies", "Imaging studies", "Diagnostic studies", "Imaging")


RESULTS = ("Pertinent Results", "Results", "Data", "Diagnostics", "Labs/Studies")

#: The blocks of the story, in the order in which most notes tell it.
STORY = ("opener", "story", "denials", "course")
