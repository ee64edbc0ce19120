"""The schema of a knowledge file. ``knowledge/README.md`` explains it to those who write one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Section = Literal[
    "chief_complaint",
    "history_of_present_illness",
    "past_medical_history",
    "family_history",
    "physical_exam",
    "pertinent_results",
]
Kind = Literal[
    "demographics",
    "risk_factor",
    "symptom",
    "sign",
    "lab",
    "imaging",
    "procedure",
    "criterion",
]
Vital = Literal[
    "temperature",
    "heart_rate",
    "blood_pressure",
    "respiratory_rate",
    "oxygen_saturation",
]
Range = tuple[float, float]
Person = Literal["patient", "family", "other"]
Text = Annotated[str, Field(min_length=2)]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]

#: Placeholders that every case fills in: age in years, pronouns, "man"/"woman", how long the
#: illness has lasted.
CASE_PLACEHOLDERS = frozenset({"age", "He", "he", "His", "his", "him", "man", "onset"})


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Says(_Strict):
    """Ways a note may say one thing: fragments, whole sentences, a lay person's own words, and as
    vignettes do.

    ``vignette``: as examination vignettes, case reports, letters and families say it; composed
        beside ``full``.
    """

    terse: tuple[Text, ...] = ()
    full: tuple[Text, ...] = ()
    lay: tuple[Text, ...] = ()
    vignette: tuple[Text, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every way, in file order."""
        return self.terse + self.full + self.lay + self.vignette


class Patients(_Strict):
    """Who has the illness: age range in years, share of women from 0 to 1."""

    age: Range
    women: float = Field(0.5, ge=0, le=1)


class Onset(_Strict):
    """How long the present illness has lasted; both ends of ``range`` are in ``unit``."""

    unit: Literal["minutes", "hours", "days", "weeks", "months", "years"]
    range: Range


class Quantity(_Strict):
    """A number drawn once a case, the same wherever the note gives it.

    ``ranges`` maps a diagnosis (or ``default``) to the low and high end in ``unit``; a ``formula``
    over other quantities (+ - * / and parentheses) takes its place. ``reference`` is the
    laboratory's normal range as printed.
    """

    unit: str = ""
    reference: str = ""
    decimals: int = Field(0, ge=0, le=3)
    ranges: dict[str, Range] = {}
    formula: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Quantity:
        if bool(self.ranges) == bool(self.formula):
            raise ValueError("a quantity needs either ranges or a formula")
        if any(low > high for low, high in self.ranges.values()):
            raise ValueError("a range runs from low to high")
        return self


class Lab(_Strict):
    """One row of a laboratory table: test name as printed, value (with placeholders), unit,
    reference, flag.
    """

    name: str
    value: str
    unit: str = ""
    reference: str = ""
    flag: Literal["H", "L", "HH", "LL", "A", ""] = ""


class When(_Strict):
    """The patients in whom a finding is possible."""

    sex: Literal["female", "male"] | None = None
    age: Range | None = None


class Finding(_Strict):
    """Something found in a patient, the premise that makes it evidence, and the ways of saying
    both.

    ``states``: patterns, of which a clause must meet one to state the finding
        (:mod:`dxtrace.findings.patterns`);
    ``plain``: a rationale that claims no more than they ask for; ``limit``: the source of the
        numbers in them;
    ``of``: whose finding it is.
    """

    id: Identifier
    node: str
    kind: Kind
    section: Section
    frequency: float | dict[str, float]
    premise: Text
    source: Text
    says: Says
    rationales: tuple[Text, ...] = Field(min_length=3)
    only: tuple[str, ...] = ()
    when: When = When()
    group: Identifier | None = None
    decisive: bool = False
    chief: tuple[Text, ...] = ()
    lab: Lab | None = None
    vital: Vital | None = None
    sets: dict[str, Range] = {}
    states: tuple[Text, ...] = ()
    plain: Text | None = None
    limit: Text | None = None
    of: Person = "patient"

    @model_validator(mode="after")
    def _enough_ways(self) -> Finding:
        if len(self.says.all) < 5:
            raise ValueError(f"finding {self.id}: needs at least 5 ways to say it")
        if isinstance(self.frequency, dict):
            shares = list(self.frequency.values())
        else:
            shares = [self.frequency]
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError(f"finding {self.id}: a frequency lies between 0 and 1")
        return self


class Proof(_Strict):
    """A diagnosis named as a result or as established; read in notes, never composed."""

    id: Identifier
    node: str
    premise: Text
    source: Text
    states: tuple[Text, ...] = Field(min_length=1)
    plain: Text


class Contrary(_Strict):
    """What speaks against nodes: ``veto`` practically excludes them, ``strong`` makes them much
    less likely.
    """

    id: Identifier
    against: tuple[str, ...] = Field(min_length=1)
    strength: Literal["veto", "strong"]
    premise: Text
    source: Text
    states: tuple[Text, ...] = Field(min_length=1)
    plain: Text
    of: Person = "patient"


class Negative(_Strict):
    """A pertinent negative: said only where none of the findings in ``absent`` is in the case."""

    id: Identifier
    section: Section
    says: Says
    absent: tuple[Identifier, ...] = ()


class Neutral(_Strict):
    """Something true of the patient that supports nothing here; ``points_to`` names a look-alike it
    hints at.
    """

    id: Identifier
    section: Section
    says: Says
    points_to: str | None = None
    absent: tuple[Identifier, ...] = ()
    when: When = When()


class CategoryKnowledge(_Strict):
    """Everything dxtrace knows about one category."""

    category: str
    lookalikes: tuple[str, ...]
    patients: dict[str, Patients]
    onset: dict[str, Onset]
    quantities: dict[str, Quantity] = {}
    choices: dict[str, tuple[str, ...]] = {}
    findings: tuple[Finding, ...]
    negatives: tuple[Negative, ...]
    neutral: tuple[Neutral, ...]
    medications: tuple[Text, ...] = ()
    proofs: tuple[Proof, ...] = ()
    contrary: tuple[Contrary, ...] = ()
