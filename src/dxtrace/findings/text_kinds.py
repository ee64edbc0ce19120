"""Sentences that are no evidence, whatever their words: tests without a result, teaching, what nobody sees,
another patient's text."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
    r"|reasons? to (?:return|call|come back)"
    r"|(?:risks?|symptoms|signs|complications)\b.{0,80}\b(?:explained|reviewed|discussed)"
    r"|patients (?:\w+ly )?(?:often|usually|typically|commonly|may)"
    r"|should (?:he|she|they) (?:develop|have|experience|get|notice))\b"
    r"|\A\W*(?:explained|warned|counsel\w+|educated|reassured|taught|advised|safety|(?:to )?monitor)\b",
    re.IGNORECASE,
)
#: More advice, what is true of an illness in general, what somebody asks or reads, and what would be.
GENERAL = re.compile(
    r"""
    # Advice.
    \b(?:(?:come|comes|came)\ (?:straight\ )?back\ (?:if|for|when|with|at\ once|immediately)
      |keep\ an\ eye\ out|in\ the\ event\ of|(?:knows?|knew)\ to\ (?:call|report|come|return|watch)|safety.?net(?:ting)?
      |red\ flags?|(?:watch|look)\ (?:out\ )?for|be\ alert\ to
      |(?:told|advised|asked|warned|reminded|taught|instructed|informed)\ (?:\w+\ ){0,2}?(?:to\ (?:come|call|go|watch
      |look|seek|recogni[sz]e|report|return|attend)|about|of\ the\ signs|how\ to))\b
    # What holds of an illness, wherever it is written.
    | \b(?:(?:patients|people|subjects|persons|those|anyone|adults)\ (?:with|who)|brochure
      |(?:advice|fact|information)\ sheet|textbook|wikipedia
      |lecture\ (?:today|on|about|of\ the)|lecture:|chapter\ (?:on|about)|in\ general,|generally\ speaking
      |(?:typical|key|classical?|cardinal|common)\ (?:features|signs|symptoms)\ (?:of|are|include)
      |(?:typical|key|classical?|cardinal|common)\ (?:features|signs|symptoms)(?=:)
      |(?:often|usually|typically|commonly|frequently|classically)\ (?:causes?|presents?|manifests?|shows?|produces?
      |leads?\ to)
      |(?:is|are)\ (?:defined\ (?:by|as)|suggested\ by)|(?:should\ )?raises?\ suspicion
      |mnemonic|teaching\ point|template\ text|uptodate|harrison's|cochrane|pubmed|quoted?\ from
      |guidelines?\ (?:\w+\ )?(?:states?|says?|recommends?|suggests?|defines?|lists?|advises?)
      |(?:according\ to|per|under|from|in)\ the\ (?:\w+\ ){0,3}guidelines?)\b
    # What somebody reads, asks or studies.
    | \b(?:read\ (?:about|on\ the|online)|looked\ (?:it\ |up\ )?.{0,30}\ ?online|googled|podcast|youtube|documentary
      |(?:tv|television|radio)\ (?:program(?:me)?|show|series|report)|NCT\d+|clinical\ trial|(?:study|trial)\ screening
      |(?:was|were|be)\ asked\ about|to\ be\ asked|not\ asked|asks?\ about|wonders\ (?:about|if|whether)|student\ asks
      |in-?eligible|eligible|eligibility|(?:inclusion|exclusion)\ criteria|(?:project|thesis|paper|talk)\ title
      |research\ question)\b
    # What would be if it were otherwise.
    | \A\W*(?:suppose|imagine|assume|example:|for\ example,|would\ there\ be|in\ case\ of
      |(?:were|had)\ (?:he|she|they|it|there|the\ patient)\b
      |should\ (?!\w+\ (?:have|be)\b)|if\ there\ (?:is|are|were)\b)
    | \A\W*if\b.{0,200}\b(?:would|consider|call|come|return|seek|contact|think\ of|must|should|go\ to|ring)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
#: Another patient's text, in this one's note.
ANOTHER_PATIENT = re.compile(
    r"""
    \b(?:another|other|wrong|different)\ (?:patient|chart|person|record|file|case)(?:'s)?\b
    | \b(?:next|opposite|neighbou?ring|adjacent)\ bed\b|\bbed\ (?:opposite|next\ door)\b
    | \b(?:man|woman|lady|gentleman|person)\ (?:\w+\ )?(?:across|opposite
      |next\ (?:door|to)|(?:on|in)\ the\ (?:same|next|other))\b
    | \bcopy.{0,3}past\w*|\bplease\ (?:disregard|ignore)\b
    | \b(?:filed|pasted|copied|entered|scanned)\ (?:\w+\ ){0,2}(?:by\ mistake|in\ error|wrongly)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
#: An illness of long ago that is over.
_LONG_AGO = re.compile(
    r"\b(?:(?:19|20)\d\d|(?:years?|decades?) ago|childhood|youth|remote"
    r"|(?:as|when) (?:an? |he was an? |she was an? )?(?:child|boy|girl|teenager|infant|student|baby))\b",
    re.IGNORECASE,
)
_OVER = re.compile(
    r"\b(?:resolved|cured|recovered|gone|healed|outgrew|outgrown|no (?:trace|sequel\w*)"
    r"|never (?:came back|returned|recurred))\b",
    re.IGNORECASE,
)


def is_over(text: str) -> bool:
    """Return whether a sentence tells of an illness of long ago that is over."""
    return _LONG_AGO.search(text) is not None and _OVER.search(text) is not None


#: Markup whose text no reader of the page sees.
_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)|\[hidden\].*?(?:\[/hidden\]|\Z)|^\[[^\]\n]{1,20}\]:\s*(?:\#|<>).*?$"
    r"|<(?P<tag>script|style|template|\w++(?=[^<>]*(?:\bhidden\b|display\s*:\s*none|visibility\s*:\s*hidden"
    r"|opacity\s*:\s*0(?![.\d])|font-size\s*:\s*0)))\b[^<>]*>.*?(?:</(?P=tag)\s*>|\Z)",
    re.IGNORECASE | re.DOTALL | re.MULTILINE,
)


def hidden_ranges(note: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges of a note that markup hides: comments, and elements that are not shown."""
    for found in _HIDDEN.finditer(note):
        yield found.span()


def is_question(note: str, start: int, end: int) -> bool:
    """Return whether all of a sentence asks, and no yes follows; "WBC 11.9, stress?" tells of the cells."""
    text = note[start:end].strip()
    if not text.endswith("?") or ("," in text and _ASKS.match(text) is None):
        return False
    return _YES.match(note, end) is None


_ASKS = re.compile(
    r"\W*(?:any|is|are|was|were|do|does|did|has|have|had|can|could|would|should|might|may|what|which|who|why|how"
    r"|when|where|consider|ask\w*|student)\b",
    re.IGNORECASE,
)
_YES = re.compile(r"\W*(?:yes|y|positive|present|\+)\b", re.IGNORECASE)
