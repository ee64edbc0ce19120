"""How one note is worded: registers, abbreviations, slips of the keyboard, masks for names and
places.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dxtrace.compose._compile import Said, parted, says_of
from dxtrace.compose._draw import Draft
from dxtrace.compose._style import Part
from dxtrace.compose._ways import Ways
from dxtrace.compose._write import Item, lowered, statement
from dxtrace.knowledge.background import background
from dxtrace.knowledge.wordings import Register

#: Long form and what residents type for it.
ABBREVIATIONS = (
    ("shortness of breath", "SOB"),
    ("chest pain", "CP"),
    ("history of", "h/o"),
    ("emergency department", "ED"),
    ("patient", "pt"),
    ("Patient", "Pt"),
    ("bilaterally", "b/l"),
    ("bilateral", "b/l"),
    ("without", "w/o"),
    ("with", "w/"),
    ("nausea and vomiting", "N/V"),
    ("mg daily", "mg qd"),
    ("abdominal", "abd"),
    ("approximately", "~"),
    ("increased", "inc"),
    ("positive for", "+"),
    ("blood pressure", "BP"),
    ("heart rate", "HR"),
    ("temperature", "temp"),
    ("chest radiograph", "CXR"),
    ("electrocardiogram", "EKG"),
    ("negative", "neg"),
    ("secondary to", "2/2"),
    ("status post", "s/p"),
    ("left", "L"),
    ("right", "R"),
    ("lower extremity", "LE"),
    ("upper extremity", "UE"),
    ("follow-up", "f/u"),
    ("laboratory", "lab"),
    ("examination", "exam"),
    ("hours", "hrs"),
    ("weeks", "wks"),
    ("months", "mos"),
    ("years", "yrs"),
    ("decreased", "dec"),
    ("within normal limits", "wnl"),
    ("no known drug allergies", "NKDA"),
    ("twice daily", "BID"),
    ("as needed", "prn"),
    ("because of", "2/2"),
    ("significant for", "sig for"),
)

_NUMBERS = (
    "",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)

#: Numbers that begin with a vowel sound: "an 84-year-old".
_VOWEL_NUMBER = re.compile(r"\b([Aa]) (?=(?:8\d?|11|18)\b|8\d(?=y)|eight|eleven)")

#: A verb makes a complaint a sentence.
_VERB = re.compile(
    r"(?i)\b(?:went|gave|came|is|was|are|were|can'?t|couldn'?t|won'?t|keeps?|hurts?|feels?|fell|needed|seeing)\b",
)

#: Complaints that have not lasted for a time.
_NO_SYMPTOM = re.compile(
    r"(?i)check|screen|abnormal|review|follow|referr|evaluat|result|incidental|physical|visit|request",
)

#: First words of a complaint that is no noun phrase: it cannot follow "because of".
_NO_NOUN = re.compile(
    r"(?i)[\"“']|(?:i|i'm|my|can'?t|cannot|could|found|almost|nearly|passed|collapsed|just|feels?|felt|keeps?|unable|threw|fell"
    r"|getting|gets|got|not|woke|has|had|won'?t|no|turned|kept|went|fainted|stopped|is|was|brought|sent|short|out|everything"
    r"|wandered|woken|losing|lost|forgets?|wheezes|coughs|tired|hot|he|she|they|wife|husband|daughter|son|review|follow-up|told|something|noticed|saw|started|began|dropped|slid|wakes?|cries|forgot)\b",
)

_ABBREVIATION = {long: re.compile(rf"\b{long}\b") for long, _ in ABBREVIATIONS}
_NO_TYPO = re.compile(
    r"[^a-z]|^(?:denie[sd]|without|absent|negative|positive|never|normal|neither|increas|decreas|hyper|hypo)",
)


class Voice:
    """The words of one note: everything random about wording is decided here, once a note or once a
    statement.
    """

    def __init__(self, draft: Draft) -> None:
        self.draft, self.rng, self.style = draft, draft.rng, draft.style
        self.short = self._abbreviations()
        self.typing = 0.012 if self.rng.random() < self.style.typos else 0.0
        self.title = self._title()
        self.values = draft.values | {
            "age": str(draft.age),
            "title": self.title,
            "sex": "F" if draft.female else "M",
        }
        self.values["male"] = "female" if draft.female else "male"
        self.values["himself"] = "herself" if draft.female else "himself"
        self.values |= self._onset()
        self.said: set[str] = set()
        self.denied: set[str] = set()
        self.named: dict[str, str] = {}
        self.linked: set[str] = set()
        self.results: dict[str, float] = {}
        self.told: list[str] = []
        self.complaint, self.complaint_of = self._complaint()

    def _abbreviations(self) -> list[tuple[str, str]]:
        if self.rng.random() >= self.style.abbreviates:
            return []
        share = self.rng.uniform(0.2, 0.8)
        return [(long, short) for long, short in ABBREVIATIONS if self.rng.random() < share]

    def _title(self) -> str:
        mark = (
            "___"
            if self.rng.random() < 0.7 or self.style.masks
            else self.rng.choice("ABCDEGHJKLMNPRSTW") + "."
        )
        return f"{'Ms.' if self.draft.female else 'Mr.'} {mark}"

    def _onset(self) -> dict[str, str]:
        """Return how long the illness has lasted ("2 weeks", "2-week"); half of the notes in prose
        spell it out.
        """
        number, unit = self.draft.values["onset"].split(" ")
        if (
            self.style.prints == ("prose",)
            and int(number) < len(_NUMBERS)
            and self.rng.random() < 0.5
        ):
            number = _NUMBERS[int(number)]
        return {"onset": f"{number} {unit}", "onset_adj": f"{number}-{unit.removesuffix('s')}"}

    def _complaint(self) -> tuple[str, Said | None]:
        """Return the chief complaint in words and the finding that it is of."""
        chiefs = [
            s for s in self.draft.findings if any(map(self.draft.suits, s.chief[self.draft.side]))
        ]
        if not chiefs:
            return self.frame("complaints"), None
        said = self.rng.choice(chiefs[:3])
        return self.rng.choice(self.suiting(said.chief[self.draft.side])).format_map(
            self.values,
        ), said

    def choose(self, texts: Sequence[str]) -> str:
        """Return one of ``texts`` that this note's side may use."""
        return self.rng.choice(parted(tuple(texts))[self.draft.side])

    def frame(self, name: str) -> str:
        """Return one of the frames called ``name``, not yet filled."""
        return self.choose(self.suiting(background().frames[name]))

    def suiting(self, texts: Sequence[str]) -> Sequence[str]:
        """Return those of ``texts`` that go with the case, or all if none does."""
        return [text for text in texts if self.draft.suits(text)] or texts

    def connective(self) -> str:
        """Return words that link a sentence to the one before, seldom the same twice."""
        text = self.frame("connectives")
        for _ in range(4):
            if text not in self.linked:
                break
            text = self.frame("connectives")
        self.linked.add(text)
        return text

    def filled(self, text: str, **values: str) -> str:
        """Fill the placeholders, then let this note's habits of typing have their way."""
        if text.startswith("{He} ") and self.rng.random() < 0.18:
            text = self._subject() + text[4:]
        text = text.replace("{onset} history", "{onset_adj} history")
        text = text.format_map(self.values | values if values else self.values)
        text = _VOWEL_NUMBER.sub(r"\1n ", text)
        for long, short in self.short:
            if long in text:
                text = _ABBREVIATION[long].sub(short, text)
        return self.typed(text)

    def _subject(self) -> str:
        if self.draft.style.opener in ("telegraphic", "triage"):
            return "Pt" if self.rng.random() < 0.6 else "Patient"
        return self.title if self.draft.style.masks and self.rng.random() < 0.4 else "The patient"

    def typed(self, text: str) -> str:
        """Return ``text`` as this note's writer types it: now and then two letters swapped, one
        left out or doubled.
        """
        if not self.typing:
            return text
        words = text.split(" ")
        for number, word in enumerate(words):
            if len(word) > 6 and self.rng.random() < self.typing and not _NO_TYPO.search(word):
                at = self.rng.randrange(2, len(word) - 2)
                kind = self.rng.random()
                swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
                words[number] = (
                    swapped
                    if kind < 0.5
                    else word[:at] + word[at + 1 :]
                    if kind < 0.8
                    else word[:at] + word[at : at + 1] + word[at:]
                )
        return " ".join(words)

    def register(self, part: Part) -> Register:
        """Draw the register of one statement."""
        return self.style.register(part, self.rng.random())

    def pick(self, ways: tuple[Ways, Ways], part: Part) -> str:
        """Return one way of this side, filled in."""
        way = ways[self.draft.side].pick(self.rng, self.register(part))[0]
        for _ in range(6):
            if self.draft.suits(way, everywhere=True):
                break
            way = ways[self.draft.side].pick(self.rng, "full")[0]
        text = self.filled(way)
        self.told.append(text)
        return text

    def say(self, said: Said, part: Part) -> Item:
        """Return a finding, negative or neutral statement in words; a finding may be quoted from
        it.
        """
        self.said.add(said.id)
        return statement(self.pick(said.ways, part), said.id if said.finding else None)

    def open_with(self, said: Said) -> Item:
        """Return a finding in words that present the patient."""
        self.said.add(said.id)
        return statement(self.filled(self.rng.choice(said.openings[self.draft.side])), said.id)

    def background(self, id: str, part: Part) -> Item:
        """Return a background statement in words."""
        return statement(self.pick(says_of()[id], part))

    def names(self, id: str, register: Register) -> str:
        """Return an illness by one of its names: the same one wherever the note names it."""
        if id not in self.named:
            self.named[id] = self.filled(says_of()[id][self.draft.side].pick(self.rng, register)[0])
        return self.named[id]

    def complaint_phrase(self) -> str | None:
        """Return the chief complaint as a noun phrase within a sentence, or None if its wording is
        no noun phrase.
        """
        if self.complaint_of is None or _NO_NOUN.match(self.complaint):
            return None
        if _VERB.search(self.complaint) or _NO_SYMPTOM.search(self.complaint):
            return None
        return lowered(self.complaint)
