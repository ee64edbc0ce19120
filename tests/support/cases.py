"""Cases that several tests answer."""

from __future__ import annotations

#: A case short enough to be answered often.
SHORT = """HPI: 34-year-old man with a productive cough for 8 weeks, night sweats and weight loss. He denies chest pain.
Exam: T 38.1, amphoric breath sounds over the right upper zone.
Sputum smear: acid-fast bacilli 2+.
"""
