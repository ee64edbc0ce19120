"""How one note is worded: registers, abbreviations, slips of the keyboard, masks for names and
places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from dxtrace.compose._compile import CaseStatement, by_side, says_of
from dxtrace.compose._draft import Draft
from dxtrace.compose._style import Part
from dxtrace.compose._ways import Wordings
from dxtrace.compose._write import Item, item_from, lowered
from dxtrace.knowledge.background import background
from dxtrace.knowledge.wordings import Register

#: Words of the frames for a man and for a woman.
_SEX: dict[bool, dict[str, str]] = {
    False: {"sex": "M", "male": "male", "himself": "himself"},
    True: {"sex": "F", "male": "female", "himself": "herself"},
}

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


#: How often a letter slips in a long word of a note with slips of the keyboard.
_SLIP = 0.012

#: Shares of titles whose name is masked, as in de-identified records ("Ms. ___"); others have an
#: initial. I, F and the letters that look like a numeral or begin few names are left out.
_MASKED_NAME = 0.7
_INITIALS = "ABCDEGHJKLMNPRSTW"

#: Words of up to so many letters have no slips.
_LONGEST_SAFE = 6

#: Other wordings tried of a statement, before one that does not go with the case is taken.
_TRIES = 6

#: Share of notes in prose that spell out how long the illness has lasted ("two weeks").
_SPELLED_ONSET = 0.5

#: Share of sentences on "He" that name the patient instead, and by what.
_NAMED_SUBJECT = 0.18
_PT_FOR_PATIENT = 0.6
_TITLE_FOR_PATIENT = 0.4

#: Which of the findings, in the order drawn, a patient may complain of.
_FIRST_COMPLAINTS = 3


def _swap(word: str, at: int) -> str:
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _drop(word: str, at: int) -> str:
    return word[:at] + word[at + 1 :]


def _double(word: str, at: int) -> str:
    return word[:at] + word[at] + word[at:]


#: Slips of the keyboard: a roll below the number, and below no number before, makes the slip.
TYPOS: tuple[tuple[float, Callable[[str, int], str]], ...] = (
    (0.5, _swap),
    (0.8, _drop),
    (1.0, _double),
)


class Voice:
    """The words of one note: everything random about wording is decided here, once a note or once a
    statement.
    """

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.rng = draft.rng
        self.style = draft.style
        self.short = self._abbreviations()
        self.typing = 0.0
        if self.rng.random() < self.style.typos:
            self.typing = _SLIP
        self.title = self._title()
        self.values = draft.values | _SEX[draft.female]
        self.values["age"] = str(draft.age)
        self.values["title"] = self.title
        self.values |= self._onset()
        self.stated_ids: set[str] = set()
        self.denied: set[str] = set()
        self.named: dict[str, str] = {}
        self.linked: set[str] = set()
        self.results: dict[str, float] = {}
        self.told: list[str] = []
        self.complaint, self.complaint_of = self._complaint()

    def _abbreviations(self) -> list[tuple[str, str]]:
        if self.rng.random() >= self.style.abbreviates:
            return []
        # Each writer has a vocabulary of short forms: few, most, or something between.
        share = self.rng.uniform(0.2, 0.8)
        abbreviations = []
        for pair in ABBREVIATIONS:
            if self.rng.random() < share:
                abbreviations.append(pair)
        return abbreviations

    def _title(self) -> str:
        if self.rng.random() < _MASKED_NAME or self.style.masks:
            name = "___"
        else:
            name = self.rng.choice(_INITIALS) + "."
        if self.draft.female:
            title = "Ms."
        else:
            title = "Mr."
        return f"{title} {name}"

    def _onset(self) -> dict[str, str]:
        """Return how long the illness has lasted ("2 weeks", "2-week"); half of the notes in prose
        spell it out.
        """
        number, unit = self.draft.values["onset"].split(" ")
        can_spell = self.style.prints == ("prose",) and int(number) < len(_NUMBERS)
        if can_spell and self.rng.random() < _SPELLED_ONSET:
            number = _NUMBERS[int(number)]
        singular = unit.removesuffix("s")
        return {
            "onset": f"{number} {unit}",
            "onset_adj": f"{number}-{singular}",
        }

    def _complaint(self) -> tuple[str, CaseStatement | None]:
        """Return the chief complaint in words and the finding that it is of."""
        side = self.draft.side
        chiefs: list[CaseStatement] = []
        for statement in self.draft.findings:
            if any(map(self.draft.allows_text, statement.chief[side])):
                chiefs.append(statement)
        if not chiefs:
            return self.frame("complaints"), None
        statement = self.rng.choice(chiefs[:_FIRST_COMPLAINTS])
        complaint = self.rng.choice(self.suiting(statement.chief[side]))
        return complaint.format_map(self.values), statement

    def choose(self, texts: Sequence[str]) -> str:
        """Return one of ``texts`` that this note's side may use."""
        return self.rng.choice(by_side(tuple(texts))[self.draft.side])

    def frame(self, name: str) -> str:
        """Return one of the frames called ``name``, not yet filled."""
        return self.choose(self.suiting(background().frames[name]))

    def suiting(self, texts: Sequence[str]) -> Sequence[str]:
        """Return those of ``texts`` that go with the case, or all if none does."""
        return [text for text in texts if self.draft.allows_text(text)] or texts

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
        if text.startswith("{He} ") and self.rng.random() < _NAMED_SUBJECT:
            text = self._subject() + text.removeprefix("{He}")
        text = text.replace("{onset} history", "{onset_adj} history")
        text = text.format_map(self.values | values)
        text = _VOWEL_NUMBER.sub(r"\1n ", text)
        for long, short in self.short:
            if long in text:
                text = _ABBREVIATION[long].sub(short, text)
        return self.typed(text)

    def _subject(self) -> str:
        if self.style.opener in ("telegraphic", "triage"):
            if self.rng.random() < _PT_FOR_PATIENT:
                return "Pt"
            return "Patient"
        if self.style.masks and self.rng.random() < _TITLE_FOR_PATIENT:
            return self.title
        return "The patient"

    def typed(self, text: str) -> str:
        """Return ``text`` as this note's writer types it: now and then two letters swapped, one
        left out or doubled.
        """
        if not self.typing:
            return text
        words = text.split(" ")
        for number, word in enumerate(words):
            slips = len(word) > _LONGEST_SAFE and self.rng.random() < self.typing
            # A slip must not turn what a denial or a trend says ("denies", "increased").
            if slips and not _NO_TYPO.search(word):
                words[number] = self._misspelled(word)
        return " ".join(words)

    def _misspelled(self, word: str) -> str:
        # First and last letters are mostly right: readers and spelling checkers lean on them.
        at = self.rng.randrange(2, len(word) - 2)
        roll = self.rng.random()
        slip = next(slip for below, slip in TYPOS if roll < below)
        return slip(word, at)

    def register(self, part: Part) -> Register:
        """Draw the register of one statement."""
        return self.style.register(part, self.rng.random())

    def pick(self, ways: tuple[Wordings, Wordings], part: Part) -> str:
        """Return one way of this side, filled in."""
        own = ways[self.draft.side]
        way, _ = own.pick(self.rng, self.register(part))
        for _ in range(_TRIES):
            if self.draft.allows_text(way, everywhere=True):
                break
            way, _ = own.pick(self.rng, "full")
        text = self.filled(way)
        self.told.append(text)
        return text

    def say(self, statement: CaseStatement, part: Part) -> Item:
        """Return a finding, negative or neutral statement in words; a finding may be quoted from
        it.
        """
        self.stated_ids.add(statement.id)
        tag = statement.id if statement.finding else None
        return item_from(self.pick(statement.ways, part), tag)

    def open_with(self, statement: CaseStatement) -> Item:
        """Return a finding in words that present the patient."""
        self.stated_ids.add(statement.id)
        opening = self.rng.choice(statement.openings[self.draft.side])
        return item_from(self.filled(opening), statement.id)

    def background(self, id: str, part: Part) -> Item:
        """Return a background statement in words."""
        return item_from(self.pick(says_of()[id], part))

    def names(self, id: str, register: Register) -> str:
        """Return an illness by one of its names: the same one wherever the note names it."""
        if id not in self.named:
            names = says_of()[id][self.draft.side]
            name, _ = names.pick(self.rng, register)
            self.named[id] = self.filled(name)
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
