"""Sentences that are no evidence, whatever their words: tests without a result, teaching, text for a machine."""

from __future__ import annotations

import re

from dxtrace.notes.sections import INVISIBLE

#: A test is named, and not what it showed.
NO_RESULT = re.compile(
    r"\b(?:pending|awaited|awaiting|inconclusive|non-?diagnostic"
    r"|not (?:available|done|performed|obtained|recorded|tested|yet)"
    r"|unavailable|to be (?:done|performed|obtained)|(?:is|are|was|were|be|been|being) (?:also )?"
    r"(?:performed|ordered|scheduled|obtained|sent|planned|advised|recommended|taken|drawn|requested|arranged|shown|indicated|offered|repeated)"
    r"|will be|n/a|not known|refused|declined)\b|:\s*(?:(?:none|n/?a|unknown|pending|_+|-+)\s*)?(?:\.\s*)?$|_{2,}",
    re.IGNORECASE,
)
#: ... but for words that bring a result.
RESULT = re.compile(
    r"\b(?:show(?:s|ed|ing)|reveal(?:s|ed|ing)?|demonstrat\w+|confirm(?:s|ed|ing)|found|consistent with"
    r"|positive|negative|detected|identified|indicat(?:es|ed|ing)|suggest\w*|grew|yield\w*|with)\b",
    re.IGNORECASE,
)
#: A drug that is not borne: what it does is no finding of the patient now. What is breathed in or eaten is not meant.
REACTION = re.compile(
    r"\b(?:allergic to (?!(?:\w+ ){0,2}(?:cats?|dogs?|dust|mites?|pollens?|grass|mou?lds?|nuts?|peanuts?|animals?"
    r"|danders?|birch|ragweed|foods?|shellfish|eggs?|latex)\b)"
    r"|(?:drug|medication|penicillin|sulfa|sulpha|nsaid|aspirin|codeine|opioid|contrast|antibiotic|statin)"
    r" (?:allerg|intoleran)\w+"
    r"|adverse (?:drug )?(?:reaction|effect|event)s?|adrs?|side[ -]effects?|nkda)\b",
    re.IGNORECASE,
)
#: Advice to the patient, and what is true of an illness in general.
TEACHING = re.compile(
    r"\b(?:return (?:to the|if|for)|call (?:your|the|if|911|us)|if you (?!press|push|touch|look|ask|listen)"
    r"|you (?:should|may|have|are|can|were|had)|your (?:doctor|symptoms|blood|heart|medic\w+)"
    r"|seek (?:care|medical|help)|warning signs?|symptoms (?:of|include|may)|signs of .{0,40} include"
    r"|risk factors (?:for|include)|patients (?:with|who)|can cause|is caused by|education|leaflet|handout"
    r"|educated (?:on|about)|counsel\w+ (?:on|about|regarding|re)|instructions?"
    r"|warned (?:of|about|that|re)|instructed to|safety[ -]?net\w*|return precautions|rt(?:ed|c) (?:if|for|with)"
    r"|(?:advised|told|instructed) (?:\w+ ){0,2}to (?:watch|look|monitor|return|seek|call|report|come back|go to|bring)"
    r"|red flags? (?:\w+ ){0,2}(?:explained|discussed|reviewed|given)"
    r"|(?:discussed|explained|reviewed) (?:the )?(?:possible |potential |common )?(?:side effects|signs|symptoms|risks)"
    r"|(?:typical|common|classic) (?:features|symptoms|signs) (?:of|are|include)|information (?:sheet|leaflet)"
    r"|patients (?:\w+ly )?(?:often|usually|typically|commonly|may)"
    r"|should (?:he|she|they) (?:develop|have|experience|get|notice))\b"
    r"|\A\W*(?:explained|warned|counsel\w+|educated|reassured|taught|advised|safety|(?:to )?monitor)\b",
    re.IGNORECASE,
)
#: Text that talks to a language model or shows its marks: never evidence.
_TALKS_TO_A_MODEL = re.compile(
    r"<\|[^|>]{1,40}\|>|\[/?INST\]|</?s>|<<SYS>>|###\s*(?:system|instruction|assistant|user|human)\b"
    r"|\b(?:ignore|disregard|forget)\b.{0,40}\b(?:above|previous|prior|instructions?|all|note|everything)\b"
    r"|\bfinal diagnosis\s*[:=]|\bsupporting evidence\s*:|\bstep \d+\s*[:\[]|(?:\A|\n)[\s#*]*(?:system|assistant)\s*:"
    r"|\b(?:the|your) (?:correct |final |true )?(?:answer|output|diagnosis) (?:is|must be|should be)\b"
    r"|\byou are an? (?:ai|assistant|language model)\b|\"diagnosis\"\s*:|<!--|prompt\b.{0,20}\binject"
    r"|\b(?:answer|output|respond|reply|print|write) (?:only|with|exactly)\b"
    r"|</?(?:diagnosis|answer|system|instructions?|prompt|assistant|user|output|think)>",
    re.IGNORECASE,
)

#: Advice, and what would hold if something else did: of these sentences nothing holds of the patient.
_ASIDE = re.compile(
    r"\W*(?:return (?:to|for|if)|if there (?:is|are)|(?:\w+ )?(?:leaflet|handout)|call (?:911|your|if|us))\b",
    re.IGNORECASE,
)

_INVISIBLE = dict.fromkeys(map(ord, INVISIBLE))


def talks_to_a_model(text: str) -> bool:
    """Return whether a text talks to a language model or shows its marks: it is never evidence."""
    return _TALKS_TO_A_MODEL.search(text.translate(_INVISIBLE)) is not None


def is_aside(sentence: str) -> bool:
    """Return whether a sentence is not about the patient: talk to a model, advice, a condition."""
    return talks_to_a_model(sentence) or _ASIDE.match(sentence) is not None
