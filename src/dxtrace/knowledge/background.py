"""What any patient may have besides: the schema of ``background.yaml`` and its loader.

A background statement is not made where a finding says one of the item's ``words``, so a normal
examination never contradicts an abnormal one, and no unexplained risk factor stands beside the
chain. A word in small letters is the beginning of words, one with a capital is a whole word in any
case, one with a space or a mark stands anywhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from typing import Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from dxtrace.errors import KnowledgeError
from dxtrace.files import parse_yaml
from dxtrace.knowledge.schema import Identifier, Range, Says, Text
from dxtrace.knowledge.taxonomy import Taxonomy

#: Fewest ways of saying one thing: enough for the hard test to keep some for itself.
FEWEST_WAYS = 3


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Item(_Strict):
    id: Identifier
    words: tuple[str, ...] = ()


class Comorbidity(_Item):
    """An illness that the patient has besides: ``names`` are noun phrases (terse for lists, full
    for sentences).

    ``never_with`` names the categories that it is, or hints at; ``shifts`` moves normal laboratory
    values.
    """

    names: Says
    medications: tuple[Text, ...] = ()
    age: Range = (18, 100)
    sex: Literal["female", "male"] | None = None
    never_with: tuple[str, ...] = ()
    shifts: dict[str, Range] = {}


class Statement(_Item):
    """Something true of a well patient, or that supports nothing. ``needs`` names vital signs that
    must be normal.

    At most one statement of a ``group`` is made; one that is ``alone`` is made beside no other of
    its list.
    """

    says: Says
    group: Identifier | None = None
    alone: bool = False
    age: Range = (0, 120)
    sex: Literal["female", "male"] | None = None
    needs: tuple[str, ...] = ()
    never_with: tuple[str, ...] = ()


class DrugClass(_Strict):
    """Medicines of which one is taken at a time: ``names`` is a pattern; ``never_beside`` names
    illnesses and classes.

    Where the note speaks of the class only in other words (the pattern ``lay``), a list gives the
    ``example``.
    """

    id: Identifier
    names: str
    lay: str | None = None
    example: str = ""
    never_with: tuple[str, ...] = ()
    never_beside: tuple[Identifier, ...] = ()


class Denial(_Item):
    """A symptom that patients are asked for and do not have, as noun phrases, by system."""

    system: Identifier
    nouns: tuple[Text, ...] = Field(min_length=FEWEST_WAYS)


class Test(_Item):
    """A laboratory test with its normal ``range``: how hospitals name it in dense, tabular and
    prose print.

    Where the test that it ``follows`` is printed, its value is ``times`` the other's, give or take
    a little. A test with a ``formula`` is printed only beside all those that the formula names.
    """

    panel: Identifier
    dense: tuple[str, ...]
    table: tuple[str, ...]
    prose: tuple[Text, ...]
    unit: str
    reference: str
    range: Range
    decimals: int = Field(0, ge=0, le=3)
    follows: str | None = None
    times: float = 1.0
    formula: str | None = None
    reference_men: str | None = None
    range_men: Range | None = None

    def reference_of(self, female: bool) -> str:
        """Return the reference as printed for a woman or a man."""
        if female or self.reference_men is None:
            return self.reference
        return self.reference_men

    def range_of(self, female: bool) -> Range:
        """Return the normal range from which a value is drawn."""
        if female or self.range_men is None:
            return self.range
        return self.range_men


class Unsaid(_Strict):
    """What does not suit some cases: framing that the pattern ``says`` finds, ``beside`` any of
    these traits.

    A rule that holds ``everywhere`` is for whole statements too, not for openings, complaints and
    links alone.
    """

    says: str
    beside: tuple[str, ...]
    everywhere: bool = False


class Detail(_Strict):
    """A clinical detail of which a rationale may speak (``claims``), and what else in a quote
    ``tells`` of it.
    """

    claims: str
    tells: str


class Study(Statement):
    """A normal study: ``modality`` groups it with findings of the same study."""

    modality: Identifier


class Report(_Strict):
    """A study as hospitals print it: title, technique, normal statements, and an impression for
    want of a finding.
    """

    titles: tuple[Text, ...]
    technique: tuple[Text, ...]
    impression: tuple[Text, ...]
    normal: tuple[Statement, ...]


class Background(_Strict):
    """Everything in ``background.yaml``.

    Openings, frames and vital signs are grouped by the kind of note.
    """

    comorbidities: tuple[Comorbidity, ...]
    surgeries: tuple[Comorbidity, ...]
    allergies: tuple[Statement, ...]
    social: tuple[Statement, ...]
    family: tuple[Statement, ...]
    ros: tuple[Denial, ...]
    ros_labels: dict[str, tuple[str, ...]]
    exam: dict[str, tuple[Statement, ...]]
    exam_labels: dict[str, tuple[str, ...]]
    exam_words: dict[str, str]
    tests: tuple[Test, ...]
    not_normal: dict[str, tuple[str, ...]]
    traits: dict[str, str]
    unsaid: tuple[Unsaid, ...]
    clinic: tuple[str, ...]
    details: dict[str, Detail]
    studies: tuple[Study, ...]
    modalities: dict[str, str]
    modality_labels: dict[str, tuple[str, ...]]
    course: tuple[Statement, ...]
    reports: dict[str, Report]
    drugs: tuple[Text, ...]
    formulary: tuple[Text, ...]
    routes: dict[str, str]
    drug_classes: tuple[DrugClass, ...]
    medicated: str
    unmedicated: str
    operated: str
    social_words: str
    family_words: str
    allergy_words: str
    hurried: str
    unhurried: str
    openers: dict[str, tuple[Text, ...]]
    closers: dict[str, tuple[str, ...]]
    frames: dict[str, tuple[Text, ...]]
    vitals: dict[str, tuple[Text, ...]]

    @model_validator(mode="after")
    def _sound(self) -> Background:
        if problems := list(self._problems()):
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        known = set()
        for category in Taxonomy.default().categories:
            known.add(category.name)
        tests = set()
        for test in self.tests:
            tests.add(test.id)
        statements: list[Statement] = [
            *self.allergies,
            *self.social,
            *self.family,
            *self.studies,
            *self.course,
        ]
        for items in self.exam.values():
            statements += items
        for report in self.reports.values():
            statements += report.normal
        illnesses = [*self.comorbidities, *self.surgeries]
        ids = []
        for item in (*statements, *illnesses, *self.ros, *self.tests):
            ids.append(item.id)
        for id, count in sorted(Counter(ids).items()):
            if count > 1:
                yield f"the id {id!r} is used twice"
        ways = []
        for item in statements:
            ways.append((item.id, item.says, item.never_with))
        ways += [(item.id, item.names, item.never_with) for item in illnesses]
        for id, says, never_with in ways:
            if len(set(says.all)) < FEWEST_WAYS:
                yield f"{id}: fewer than {FEWEST_WAYS} ways to say it"
            if unknown := set(never_with) - known:
                yield f"{id}: {sorted(unknown)} are not categories"
        unknown = set(self.not_normal) - known
        for some in self.not_normal.values():
            unknown |= set(some) - tests
        if unknown:
            yield f"not_normal: {sorted(unknown)} are neither categories nor tests"
        followed = set()
        for test in self.tests:
            if test.follows:
                followed.add(test.follows)
        if unknown := followed - tests:
            yield f"tests follow unknown tests {sorted(unknown)}"
        beside = set()
        for illness in illnesses:
            beside.add(illness.id)
        beside |= {drug.id for drug in self.drug_classes}
        for drug in self.drug_classes:
            unknown = set(drug.never_with) - known
            unknown |= set(drug.never_beside) - beside
            if unknown:
                yield f"{drug.id}: {sorted(unknown)} are no categories, illnesses or classes of medicines"
        for illness in illnesses:
            if unknown := set(illness.shifts) - tests:
                yield f"{illness.id}: shifts unknown tests {sorted(unknown)}"


@cache
def background() -> Background:
    """Load and check ``background.yaml``.

    Raises:
        KnowledgeError: the file breaks the schema; names every problem.
    """
    file = resources.files("dxtrace.knowledge").joinpath("data", "background.yaml")
    try:
        return Background.model_validate(parse_yaml(file.read_text("utf-8")))
    except yaml.YAMLError as error:
        raise KnowledgeError(f"background.yaml: not valid YAML: {error}") from None
    except ValidationError as error:
        problems: list[str] = []
        for item in error.errors():
            location = ".".join(map(str, item["loc"]))
            problems.append(f"{location}: {item['msg']}")
        raise KnowledgeError("background.yaml: " + "; ".join(problems)) from None


class WordIndex:
    """Finds which items' ``words`` stand in a text: see the module's first lines for how a word is
    written.
    """

    def __init__(self, items: Iterable[_Item]) -> None:
        self._beginnings: dict[str, set[str]] = {}
        self._whole: dict[str, set[str]] = {}
        self._phrases: dict[str, set[str]] = {}
        for item in items:
            for word in item.words:
                if not re.fullmatch(r"[A-Za-z0-9]+", word):
                    index = self._phrases
                elif word != word.lower():
                    index = self._whole
                else:
                    index = self._beginnings
                index.setdefault(word.lower(), set()).add(item.id)
        self._shortest = min(map(len, self._beginnings), default=0)

    def found(self, text: str) -> frozenset[str]:
        """Return the ids of the items of which a word stands in ``text``."""
        text = text.lower()
        ids: set[str] = set()
        for word in set(re.findall(r"[a-z0-9]+", text)):
            ids |= self._whole.get(word, set())
            for end in range(self._shortest, len(word) + 1):
                ids |= self._beginnings.get(word[:end], set())
        for phrase, owners in self._phrases.items():
            if phrase in text:
                ids |= owners
        return frozenset(ids)
