"""What is read of FHIR R4 resources, typed; all other fields are passed over.

Source: HL7 FHIR R4 (4.0.1, 2019). The library ``fhir.resources`` validates R4B and R5, and refuses
what hospitals export as R4, so the few fields that say something are written out here.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from pydantic import BaseModel, Field


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
        if self.text:
            return self.text.strip()
        return next((coding.display.strip() for coding in self.coding if coding.display), "")

    def has_code(self, code: str) -> bool:
        """Return whether one of its codes is ``code``."""
        return any(coding.code == code for coding in self.coding)


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
        return f"{self.comparator}{self.value:.10g} {self.unit or self.code}".strip()


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


class Value(BaseModel):
    """What an observation, or a component of one, found."""

    code: Concept = Concept()
    valueQuantity: Quantity | None = None  # noqa: N815 - FHIR's names
    valueString: str | None = None  # noqa: N815
    valueInteger: int | None = None  # noqa: N815
    valueBoolean: bool | None = None  # noqa: N815
    valueCodeableConcept: Concept | None = None  # noqa: N815
    referenceRange: list[Range] = []  # noqa: N815
    interpretation: list[Concept] = []

    @property
    def words(self) -> str:
        """Value, unit, flag and range, "" without a value."""
        value = ""
        if self.valueQuantity is not None:
            value = self.valueQuantity.words
        elif self.valueCodeableConcept is not None:
            value = self.valueCodeableConcept.words
        elif self.valueString is not None:
            value = self.valueString.strip()
        elif self.valueInteger is not None:
            value = str(self.valueInteger)
        elif self.valueBoolean is not None:
            if self.valueBoolean:
                value = "yes"
            else:
                value = "no"
        if not value:
            return ""
        for found in self.interpretation[:1]:
            if found.coding and found.coding[0].code not in ("", "N"):
                value += f" {found.coding[0].code}"
        if self.referenceRange and self.referenceRange[0].words:
            value += f" ({self.referenceRange[0].words})"
        return value


class Attachment(BaseModel):
    """A document inside a resource."""

    contentType: str = "text/plain"  # noqa: N815
    data: str = ""

    def text(self) -> str | None:
        """Return its text; None if it holds none (a link, a PDF)."""
        kind = self.contentType.split(";")[0].strip().lower()
        if not self.data or kind not in ("text/plain", "text/html", "application/xhtml+xml"):
            return None
        try:
            text = base64.b64decode(self.data, validate=False).decode("utf-8")
        except (binascii.Error, ValueError):
            return None
        if kind == "text/plain":
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

    manifestation: list[Concept] = []


class Reference(BaseModel):
    """A link to another resource."""

    reference: str = ""


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
    type: Concept | list[Concept] | str | None = None
    code: Concept = Concept()
    category: list[Concept] | Concept | list[str] = []
    clinicalStatus: Concept = Concept()  # noqa: N815
    verificationStatus: Concept = Concept()  # noqa: N815
    reasonCode: list[Concept] = []  # noqa: N815
    effectiveDateTime: str = ""  # noqa: N815
    component: list[Value] = []
    content: list[Content] = []
    presentedForm: list[Attachment] = []  # noqa: N815
    conclusion: str = ""
    contained: list[dict[str, Any]] = []
    section: list[Part] = []
    medicationCodeableConcept: Concept = Concept()  # noqa: N815
    reaction: list[Reaction] = []
    relationship: Concept = Concept()
    condition: list[Value] = []

    @property
    def categories(self) -> list[Concept]:
        """Its categories, whatever form they have."""
        if isinstance(self.category, Concept):
            return [self.category]
        categories = []
        for one in self.category:
            if isinstance(one, Concept):
                categories.append(one)
        return categories

    @property
    def owner(self) -> str:
        """Whom it is about: "Patient/1"."""
        return self.subject.reference or self.patient.reference

    def is_in(self, code: str) -> bool:
        """Return whether it is in a category."""
        return any(one.has_code(code) for one in self.categories)


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

        def handle_data(self, data: str) -> None:
            self.parts.append(" ".join(data.split()))

        def handle_starttag(self, tag: str, _: object) -> None:
            if tag in ("p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "table"):
                self.parts.append("\n")

    reader = Reader()
    reader.feed(html)
    text = " ".join(part for part in reader.parts if part)
    return "\n".join(line.strip() for line in text.split("\n") if line.strip())
