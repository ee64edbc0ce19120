"""AgentClinic's MedQA cases (MIT licence): examinations as nested JSON, one a line; a diagnosis,
but no reasoning.

The diagnosis is kept as the tag ``diagnosis``. Where our taxonomy has it, the tags ``expected``
(its node) and
``expected_category`` say so: enough to measure a model on, not to train one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dxtrace.corpus.align import find_diagnosis
from dxtrace.corpus.base import Corpus, Problem, assemble, replace_surrogates
from dxtrace.errors import CaseError, CorpusError, RowError
from dxtrace.files import read_jsonl
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case

#: Keys that say nothing beside their value.
_SILENT = {"findings", "demographics", "history", "other"}

#: Values that say that there is nothing to say.
_NOTHING = {
    "",
    "none",
    "n/a",
    "information not provided.",
    "not provided",
    "no additional symptoms provided.",
}

_MAX_DEPTH = 12


def read_agentclinic(
    path: str | Path,
    split: str | None = None,
    taxonomy: Taxonomy | None = None,
) -> Corpus:
    """Read a JSONL file of AgentClinic.

    Raises:
        CorpusError: it cannot be read, or a split is asked for (there is none).
    """
    path = Path(path)
    if split is not None:
        raise CorpusError(f"{path}: AgentClinic has no split {split!r}")
    taxonomy = taxonomy or Taxonomy.default()
    cases: list[AnnotatedCase] = []
    problems: list[Problem] = []
    for line in read_jsonl(path, CorpusError):
        place = line.place
        id = f"{path.stem}-{line.number}"
        try:
            cases.append(_to_case(line.parse(), id, taxonomy))
        except RowError as error:
            problems.append(Problem("bad-json", place, error.reason, id))
        except (CaseError, CorpusError) as error:
            message = str(error).removeprefix(f"{place}: ")
            problems.append(Problem("bad-shape", place, message, id))
    return assemble(
        cases,
        problems,
        name="AgentClinic",
        id=f"agentclinic-{path.stem}",
        licence="MIT",
    )


def render(value: Any, depth: int = 0) -> str:
    """Return nested findings as readable text: a line for each entry of the outermost object,
    commas within.

    Raises:
        CorpusError: nested too deep.
    """
    if depth > _MAX_DEPTH:
        raise CorpusError(f"findings are nested deeper than {_MAX_DEPTH}")
    if isinstance(value, Mapping):
        entries: list[str] = []
        for key, inner in value.items():
            text = render(inner, depth + 1)
            if text and str(key).lower() not in _SILENT:
                text = f"{_words(str(key))}: {text}"
            if text:
                entries.append(text)
        if depth == 0:
            return "\n".join(entries)
        return "; ".join(text.rstrip(".") for text in entries)
    if isinstance(value, list):
        items = []
        for item in value:
            items.append(render(item, depth + 1))
        return ", ".join(filter(None, items))
    if not isinstance(value, (str, int, float)):
        return ""
    text = " ".join(replace_surrogates(str(value)).split())
    if text.lower() in _NOTHING:
        return ""
    return text


def _to_case(row: Any, id: str, taxonomy: Taxonomy) -> AnnotatedCase:
    exam = row.get("OSCE_Examination", row) if isinstance(row, dict) else None
    patient = exam.get("Patient_Actor") if isinstance(exam, dict) else None
    if not isinstance(exam, dict) or not isinstance(patient, dict):
        raise CorpusError("expected an object OSCE_Examination with a Patient_Actor")
    now = dict(patient)
    past = [
        now.pop("Past_Medical_History", None),
        now.pop("Social_History", None),
    ]
    family = now.pop("Family_History", None)
    symptoms = now.pop("Symptoms", None)
    sections = {
        "history_of_present_illness": _paragraphs(now, symptoms),
        "past_medical_history": _paragraphs(*past),
        "family_history": render(family),
        "physical_exam": render(exam.get("Physical_Examination_Findings")),
        "pertinent_results": render(exam.get("Test_Results")),
    }
    tags = {"diagnosis": render(exam.get("Correct_Diagnosis")), "style": "osce"}
    node, category = find_diagnosis(tags["diagnosis"], taxonomy)
    if node is not None:
        tags["expected"] = node.name
    if category is not None:
        tags["expected_category"] = category
    return AnnotatedCase(Case.from_sections(sections, id), None, id, tags)


def _paragraphs(*values: Any) -> str:
    return "\n".join(filter(None, map(render, values)))


def _words(key: str) -> str:
    """``Blood_Pressure`` -> ``Blood pressure``; abbreviations stay as they are."""
    words = key.replace("_", " ").split()
    for index, word in enumerate(words):
        if index > 0 and not word.isupper():
            words[index] = word.lower()
    return " ".join(words)
