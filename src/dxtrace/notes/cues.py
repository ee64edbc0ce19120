"""Cues of negation, uncertainty, family and past history: a clause with one is never divided.

The words follow NegEx (Chapman 2001) and ConText (Harkema 2009) in kind; the list is ours.
"""

from __future__ import annotations

import re

NEGATION = re.compile(
    r"""
    \b(?:no|not|none|nor|neither|never|without|w/o|denie[sd]|deny|denying|denial|negative|neg|absent|absence|lacks?|lacking
       |lacked|cannot|unable|failed|fails|resolved|free\ of|rules?\ out|ruled\ out|unlikely|unremarkable|except|non[ei]?
       |declines?|declined|refused|stopped|ceased|nothing|nobody|neither|hardly|barely|rather\ than|instead\ of|nil|0/\d
       |un(?:changed|affected|likely)|exclud\w*|negat\w*|\w+n['\u2019]t)\b
    | \(\s*[-\u2212\u2013]\s*\) | \[\s*[-\u2212]\s*\] | (?<=[\s,;(])[-\u2212\u2013](?=[A-Za-z]{2}) | \u00f8
    """,
    re.IGNORECASE | re.VERBOSE,
)


_OTHER_CUES = re.compile(
    r"""
    # uncertainty
    \b(?:possibl[ey]|probabl[ey]|likely|may|might|could|maybe|perhaps|suspect(?:ed|s)?|suspicio\w*|question(?:able|ed)?
       |presum\w*|consider\w*|concern(?:ing|ed)?\ (?:for|about)|cannot\ exclude|versus|vs|r/o|if|whether|unclear
       |uncertain|equivocal|differential|indeterminate|appears?|apparent\w*|seems?|seemed|suggest\w*|consistent\ with
       |unsure|doubt\w*|risk\ of|should|would|return\ if|evaluat\w*\ for)\b | \?
    # family
    | \b(?:mother|father|mom|dad|brothers?|sisters?|siblings?|sons?|daughters?|uncles?|aunts?|cousins?|grand\w+|famil\w+
       |maternal|paternal|parents?|relatives?|nephews?|nieces?|wife|husband|spouse|twin|fh|fhx)\b
    # past history
    | \b(?:histor(?:y|ies|ical\w*)|h/o|hx|pmhx?|pshx?|s/p|status[\ -]post|previous\w*|prior|past|former\w*|ago|remote
       |childhood|as\ a\ child|known|baseline|used\ to|last\ (?:year|month)|since\ (?:19|20)\d\d|in\ (?:19|20)\d\d
       |old\b(?=\s+(?:MI|infarct\w*|stroke))
       |chronic\ since|when\ (?:he|she|they)\ was|years?\ earlier|months?\ earlier|quit|ex-\w+)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def has_cue(text: str) -> bool:
    """True if ``text`` holds a cue of negation, uncertainty, family or past history."""
    return denies(text) or _OTHER_CUES.search(text) is not None


def denies(text: str) -> bool:
    """True if ``text`` holds a cue of negation."""
    return NEGATION.search(text) is not None
