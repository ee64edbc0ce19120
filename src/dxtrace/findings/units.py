"""How a note writes the unit of a value, its flag and its reference range."""

from __future__ import annotations

import re

UNIT = re.compile(
    r"\s*-?\s*\(?\s*("
    r"%|per\s?cent|pct"
    r"|°\s*[cf]|(?:degrees?\s*)?(?:celsius|fahrenheit)|[cf](?![\w])"
    r"|mm\s*hg|kpa"
    r"|(?:x\s*)?10\s*(?:\^|\*)?\s*(?:9|⁹)\s*/\s*l|g/l(?=\W|$)"
    r"|(?:cells?|k|thousand)\s*/\s*(?:[µμu]l|mm\s*(?:3|³)|mcl|cu\s*mm|cumm)"
    r"|/\s*(?:mm\s*(?:3|³)|[µμu]l|mcl|cu\s*mm|cumm)"
    r"|bpm|beats?\s*(?:/|per)\s*min(?:ute)?|breaths?\s*(?:/|per)\s*min(?:ute)?|/\s*min(?:ute)?|per\s*minute"
    r"|mmol\s*/\s*mol|m?c?g\s*/\s*(?:mmol|mg|g)(?=\W|$)|mosm\s*/\s*(?:kg|l)(?:\s*h2o)?"
    r"|ml\s*/\s*min(?:\s*/\s*1\.73\s*m\s*[2²])?|kg\s*/\s*m\s*\^?[2²]?|mm\s*/\s*h(?:r|our)?|ng\s*/\s*ml\s*/\s*h(?:r)?"
    r"|(?:m?eq|[mnpµμu]?mol|mc?g|[kµμunp]?g|m?[iu]u|[kµμu]i?u|mu|u|m[iI][uU])\s*/\s*(?:d?l|ml|l)"
    r"|ppb|fl|mm|cm|kgs?|kilos?|kilograms?|lbs?|pounds?|weeks?|years?"
    r")(?![a-z])",
    re.IGNORECASE,
)


# The unit in the label of a row: "Creatinine (umol/L)", "WBC (x10^9/L)". Thousands a microlitre and 10^9 a litre are
# the same, and each count has its usual power of ten.
UNIT_IN_BRACKETS = re.compile(r"\s*[(\[]\s*(?P<unit>[^()\[\]\d]{1,16}?)\s*[)\]]")
POWER_OF_TEN = re.compile(
    r"[\s,]*[(\[]?\s*[x×*]?\s*10\s*(?:[\^*]\s*\d{1,2}|[⁹³⁶]|¹²)\s*/\s*[a-zµμ]+\s*[)\]]?",
    re.IGNORECASE,
)

NAMES_RANGE = frozenset(["normal", "ref", "reference", "nr", "range"])
VOLUME = re.compile(r"(m?l(?:/(?:min|s))?)", re.IGNORECASE)

# A unit that is none of those above: "11 mEq/g".
UNKNOWN_UNIT = re.compile(r"\s*[a-zµμ]{1,5}\s*/\s*[a-z]", re.IGNORECASE)
FLAG = re.compile(r"\s*[(\[]?\s*(HH?|LL?|high|low|elevated|↑+|↓+)(?![\w])\s*[)\]]?")


REFERENCE = re.compile(
    r"[\s,;|]*[(\[]\s*(?:(?:ref(?:erence)?|normal|nl|n|nr|rr)\.?\s*(?:range|value|limits?)?s?\s*[:=]?\s*)?"
    r"(?:(?P<bound>[<>≤≥])\s*(?P<limit>\d+(?:\.\d+)?)|(?P<low>\d+(?:\.\d+)?)\s*(?:-|–|—|to)\s*(?P<high>\d+(?:\.\d+)?))",
    re.IGNORECASE,
)
