"""What is read of FHIR resources, typed; all other fields are passed over.

Source: HL7 FHIR R4 (4.0.1, 2019); where R5 (5.0.0, 2023) and STU3 (3.0.2, 2019) have another form of a field, it
is read too. The library ``fhir.resources`` validates R4B and R5, and refuses
what hospitals export as R4, so the few fields that say something are written out here.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from dxtrace.corpus.readers.fhir_names import plain_unit, short_name


class Coding(BaseModel):
    """A code with its words."""

    code: str = ""
    display: str = ""


class Concept(BaseModel):
    """CodeableConcept: words, or codes with words."""

    text: str = ""
    coding: list[Coding] = []

    @property
    def words(self) -> str:
        """The words, "" if there are none."""
        if self.text.strip():
            return short_name(self.text)
        for coding in self.coding:
            if coding.display.strip():
                return short_name(coding.display)
        return ""

    def has_code(self, code: str) -> bool:
        """Return whether one of its codes is ``code``."""
        return any(coding.code == code for coding in self.coding)


def _as_concept(value: Any) -> Any:
    """Return the forms that a concept has elsewhere as one: STU3's codes, R5's CodeableReference."""
    if isinstance(value, str):
        return {"coding": [{"code": value}]}
    if isinstance(value, dict) and ("concept" in value or "reference" in value):
        return value.get("concept") or {}
    return value


def _as_list(value: Any) -> Any:
    """Return what STU3 has once, and R4 many times, as a list."""
    if value is None:
        return []
    if isinstance(value, list):
        return value
    return [value]


AConcept = Annotated[Concept, BeforeValidator(_as_concept)]
Concepts = Annotated[list[AConcept], BeforeValidator(_as_list)]


class Quantity(BaseModel):
    """A number and its unit."""

    value: float | int | None = None
    comparator: str = ""
    unit: str = ""
    code: str = ""

    @property
    def words(self) -> str:
        """Such as "<0.01 ng/mL", "" without a number."""
        if self.value is None:
            return ""
        unit = plain_unit(self.unit or self.code)
        return f"{self.comparator}{self.value:.10g} {unit}".strip()


class Range(BaseModel):
    """A reference range."""

    low: Quantity | None = None
    high: Quantity | None = None
    text: str = ""

    @property
    def words(self) -> str:
        """Such as "4.0-10.0" """
        if self.text:
            return self.text.strip()
        low = high = None
        if self.low is not None and self.low.value is not None:
            low = f"{self.low.value:.10g}"
        if self.high is not None and self.high.value is not None:
            high = f"{self.high.value:.10g}"
        if low and high:
            return f"{low}-{high}"
        if low:
            return f">={low}"
        if high:
            return f"<={high}"
        return ""


#: What an interpretation says, as notes mark it.
_FLAGS = {
    "H": "H",
    "HH": "HH",
    "HU": "HH",
    "L": "L",
    "LL": "LL",
    "LU": "LL",
    "POS": "positive",
    "NEG": "negative",
}


class Value(BaseModel):
    """What an observation, or a component of one, found."""

    code: AConcept = Concept()
    valueQuantity: Quantity | None = None  # noqa: N815 - FHIR's names
    valueRange: Range | None = None  # noqa: N815
    valueString: str | None = None  # noqa: N815
    valueInteger: int | None = None  # noqa: N815
    valueBoolean: bool | None = None  # noqa: N815
    valueCodeableConcept: AConcept | None = None  # noqa: N815
    referenceRange: list[Range] = []  # noqa: N815
    interpretation: Concepts = []

    @property
    def plain(self) -> str:
        """The value with its unit, "" without one."""
        if self.valueQuantity is not None:
            return self.valueQuantity.words
        if self.valueRange is not None:
            return self.valueRange.words
        if self.valueCodeableConcept is not None:
            return self.valueCodeableConcept.words
        if self.valueString is not None:
            return " ".join(self.valueString.split())
        if self.valueInteger is not None:
            return str(self.valueInteger)
        if self.valueBoolean is None:
            return ""
        if self.valueBoolean:
            return "yes"
        return "no"

    @property
    def words(self) -> str:
        """Value, unit, flag and range, "" without a value.

        Of several ranges it is not known which one is this patient's.
        """
        value = self.plain
        if not value:
            return ""
        for found in self.interpretation[:1]:
            for code, flag in _FLAGS.items():
                if found.has_code(code):
                    value += f" {flag}"
        if len(self.referenceRange) == 1 and self.referenceRange[0].words:
            value += f" ({self.referenceRange[0].words})"
        return value


#: Kinds of attachments that hold text.
_TEXTS = ("text/plain", "text/html", "application/xhtml+xml", "text/markdown")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)


class Attachment(BaseModel):
    """A document inside a resource."""

    contentType: str = "text/plain"  # noqa: N815
    data: str = ""
    url: str = ""

    def text(self) -> str | None:
        """Return its text; None if it holds none (a link, a PDF, bytes that are not in its character set)."""
        kind = self.contentType.split(";")[0].strip().lower()
        if not self.data or kind not in _TEXTS:
            return None
        charset = _CHARSET.search(self.contentType)
        try:
            data = base64.b64decode(self.data, validate=False)
            text = data.decode(charset[1] if charset else "utf-8-sig")
        except (binascii.Error, ValueError, LookupError):
            return None
        if kind in ("text/plain", "text/markdown"):
            return text
        return plain_text(text)


class Content(BaseModel):
    """One form of a document."""

    attachment: Attachment = Attachment()


class Narrative(BaseModel):
    """A text as XHTML."""

    div: str = ""


class Part(BaseModel):
    """A section of a composition."""

    title: str = ""
    text: Narrative = Narrative()
    section: list[Part] = []


class Reaction(BaseModel):
    """How an allergy shows."""

    manifestation: Concepts = []


class Reference(BaseModel):
    """A link to another resource."""

    reference: str = ""

    @property
    def key(self) -> str:
        """The id that it ends with: "1" for "Patient/1", "http://host/Patient/1/_history/2" and "#1"."""
        plain = self.reference.partition("/_history/")[0].removeprefix("urn:uuid:")
        return plain.removeprefix("#").rsplit("/", 1)[-1].removeprefix("urn:uuid:")


class Period(BaseModel):
    """From when to when."""

    start: str = ""
    end: str = ""


class Reason(BaseModel):
    """Why an encounter took place, as R5 has it."""

    value: Concepts = []


class Resource(BaseModel):
    """Any resource: the fields of all kinds that are read."""

    model_config = {"extra": "allow"}

    resourceType: str  # noqa: N815
    id: str = ""
    status: str = ""
    gender: str = ""
    birthDate: str = ""  # noqa: N815
    subject: Reference = Reference()
    patient: Reference = Reference()
    type: AConcept | list[AConcept] | str | None = None
    code: AConcept = Concept()
    category: Concepts = []
    clinicalStatus: AConcept = Concept()  # noqa: N815
    verificationStatus: AConcept = Concept()  # noqa: N815
    abatementDateTime: str = ""  # noqa: N815
    reasonCode: Concepts = []  # noqa: N815
    reason: Any = None
    period: Period = Period()
    effectiveDateTime: str = ""  # noqa: N815
    effectiveInstant: str = ""  # noqa: N815
    effectivePeriod: Period = Period()  # noqa: N815
    issued: str = ""
    authoredOn: str = ""  # noqa: N815
    component: list[Value] = []
    content: list[Content] = []
    presentedForm: list[Attachment] = []  # noqa: N815
    conclusion: str = ""
    contained: list[dict[str, Any]] = []
    section: list[Part] = []
    medicationCodeableConcept: AConcept = Concept()  # noqa: N815
    medicationReference: Reference = Reference()  # noqa: N815
    medication: Any = None
    contentType: str = ""  # noqa: N815
    data: str = ""
    reaction: list[Reaction] = []
    relationship: AConcept = Concept()
    condition: list[Value] = []

    @property
    def day(self) -> str:
        """The day that it is of, such as "2024-03-01"; "" if it does not say."""
        periods = (self.effectivePeriod.start, self.period.start)
        for moment in (
            self.effectiveDateTime,
            self.effectiveInstant,
            *periods,
            self.issued,
            self.authoredOn,
        ):
            if moment:
                return moment[:10]
        return ""

    @property
    def moment(self) -> str:
        """When it was measured, to the second where it is said."""
        return (
            self.effectiveDateTime
            or self.effectiveInstant
            or self.effectivePeriod.start
            or self.day
        )

    @property
    def owner(self) -> str:
        """The id of whom it is about, "" if it does not say."""
        return self.subject.key or self.patient.key

    def is_in(self, code: str) -> bool:
        """Return whether it is in a category."""
        return any(one.has_code(code) for one in self.category)


class Entry(BaseModel):
    """One place of a bundle."""

    fullUrl: str = ""  # noqa: N815
    resource: dict[str, Any] = Field(default_factory=dict)


class Bundle(BaseModel):
    """Many resources."""

    entry: list[Entry] = []


def plain_text(html: str) -> str:
    """Return the text of XHTML, a line for each block."""
    from html.parser import HTMLParser

    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.parts: list[str] = []
            self.hidden = False

        def handle_data(self, data: str) -> None:
            if not self.hidden:
                self.parts.append(" ".join(data.split()))

        def handle_starttag(self, tag: str, _: object) -> None:
            self.hidden = tag in ("style", "script", "title")
            if tag in ("td", "th"):
                self.parts.append("|")
            if tag in ("p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "table"):
                self.parts.append("\n")

        def handle_endtag(self, _: str) -> None:
            self.hidden = False

    reader = Reader()
    reader.feed(html)
    text = " ".join(part for part in reader.parts if part)
    lines = []
    for line in text.split("\n"):
        if line.strip(" |"):
            lines.append(line.strip().removeprefix("| "))
    return "\n".join(lines)
