"""Text in a note that talks to a language model: never evidence, and not read by the model.

Marks of chat formats, orders to ignore what stands before, answers given in the model's place; also
where they are disguised: spaced out, in letters that only look Latin, in base64.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata

from dxtrace.notes.sections import INVISIBLE

#: Control tokens of chat formats: what follows them is somebody's turn.
_CONTROL = re.compile(
    r"<[|｜][^|｜>]{1,40}[|｜]>|\[/?INST\]|</?s>|<</?SYS>>"
    r"|</?(?:start|end)_of_(?:turn|text)>|<(?:bos|eos|end_of_utterance)>",
    re.IGNORECASE,
)

#: Words for what an order to a model is to ignore.
_EARLIER_TEXT = (
    r"above|previous|prior|preceding|earlier|instructions?|all|note|text|everything"
    r"|alle[sn]?|obige\w*|bisherig\w*|vorherig\w*|anweisung\w*|bovenstaande|vorige|instructies"
    r"|ci-dessus|pr[ée]c[ée]dent\w*|consignes?|tout\w*|anterior\w*|todo|todas?|instruc\w*"
    r"|precedent\w*|istruzion\w*|poprzedni\w*|instrukc\w*|[öo]nceki|talimat\w*|sebelumnya"
)

_MODEL = r"(?:AI|LLM|(?:large |language )*model|(?:AI )?assistant|chat ?bot|algorithm)"

_TALK = re.compile(
    rf"""
    # Orders to ignore what stands before, in the languages that are met most.
    \b(?:ignor\w*|disregard\w*|vergiss|vergessen\ sie|oublie[rz]?|olvid[ae]\w*|dimentica\w*|esque[çc]\w*
       |negeer|vergeet|zignoruj|unut|abaikan)\b.{{0,40}}\b(?:{_EARLIER_TEXT})\b
    | \A\W*(?:(?:please|now|kindly|and)\s+)*forget\b.{{0,40}}\b(?:{_EARLIER_TEXT})\b
    | игнорир|ігнор|забудь|忽略|无视|忽视|忘记|無視|忘れて|무시|잊어|تجاهل|अनदेखा|नज़रअंदाज़|התעלם|αγνό
    # An answer in the model's place.
    | \bfinal[\W_]*(?:diagnosis|answer|output|label)[\W_]*[:=]|\bsupporting\ evidence\s*:|\bstep\ \d+\s*[:\[]
    | \b(?:the|your)\ (?:correct\ |final\ |true\ )?(?:answer|output|diagnosis)\ (?:is|must\ be|should\ be)\b
    | ["'](?:role|content|\w*diagnos[ie]s|\w*answer|label|output|category|prediction|confidence|response|prompt)["']\s*:
    # Turns, tags and headings of chats.
    | (?:\A|\n)[ \t#>*_]*(?:system|assistant|human|bot|chatgpt|benutzer|assistentin|assistent|utilisateur|usuario
       |asistente|utente|assistente|usu[áa]rio|пользователь|ассистент|用户|助手|ユーザー|アシスタント|사용자)[*_]*\s?[:：]
    | \#\#\#\s*(?:system|instruction|assistant|user|human)\b
    | </?[\w-]*(?:diagnosis|answer|system|instruct|prompt|assistant|user|output|think|tool|function|response)[\w-]*
      (?:\s[^<>]*)?>
    # A model that is spoken to, and what it is told to do.
    | \blanguage\ model\b|\bLLMs?\b|\byou\ are\ an?\ (?:ai|assistant)\b
    | \b(?:dear|hey|hello|attention|as\ an?)\s+(?:\w+\ )?{_MODEL}\b
    | \b(?:notes?|messages?|instructions?|orders?|commands?|hints?)\ (?:to|for)\ (?:the\ |an?\ |any\ )?{_MODEL}\b
    | \b(?:system|developer)\ (?:override|prompt|message|mode)\b|\bprompt\b.{{0,20}}\binject|\bjailbreak
    | \b(?:answer|output|respond|reply|print|write)\ (?:only|with|exactly)\b
    | \A\W*(?:(?:please|now|kindly|just|only|always|simply|and)\s+)*
      (?:answer|say|respond|reply|conclude|predict)\b(?!\s*:)
    | \b(?:please|always|you\ must|you\ should|you\ will)\ (?:answer|say|select|choose|report|output|conclude|predict
       |diagnose|return)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)

_INVISIBLE = dict.fromkeys(map(ord, INVISIBLE))

#: Letters of other alphabets that look like Latin ones.
_LOOKALIKES = str.maketrans(
    "аеорсухіѕјԁһӏкмтвнАВЕКМНОРСТУХІЅЈαοντυρικε",
    "aeopcyxisjdhlkmtbhABEKMHOPCTYXISJaovtypike",
)

#: Letters with a space between each two: "I g n o r e".
_SPACED = re.compile(r"(?<![^\W_]{2})(?<=[^\W_]) (?=[^\W_](?![^\W_]))")

#: A run that base64 may hide words in: 24 characters are 18 letters.
_ENCODED = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")

#: Where a paragraph ends.
_PARAGRAPH_END = re.compile(r"\n[ \t]*\r?\n|\Z")


def talks_to_a_model(text: str) -> bool:
    """Return whether a text talks to a language model or shows its marks: it is never evidence."""
    plain = unicodedata.normalize("NFKC", text.translate(_INVISIBLE))
    if _CONTROL.search(plain) or _TALK.search(plain):
        return True
    if not plain.isascii() and _TALK.search(plain.translate(_LOOKALIKES)):
        return True
    if _TALK.search(_SPACED.sub("", plain)):
        return True
    return any(_hides_words(found[0]) for found in _ENCODED.finditer(plain))


def _hides_words(run: str) -> bool:
    """Return whether a run of characters is base64 of a text of several words."""
    try:
        decoded = base64.b64decode(run + "=" * (-len(run) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return False
    return decoded.isprintable() and " " in decoded


def first_turn(note: str) -> int | None:
    """Return where the first control token of a chat format stands; None without one."""
    found = _CONTROL.search(note)
    if found is None:
        return None
    return found.start()


def end_of_paragraph(note: str, start: int) -> int:
    """Return where the paragraph ends in which ``start`` lies."""
    found = _PARAGRAPH_END.search(note, start)
    if found is None:
        return len(note)
    return found.start()
