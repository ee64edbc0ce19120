"""What the property tests draw from: notes as people type, paste and export them, and things that
are no notes.
"""

from __future__ import annotations

from hypothesis import strategies as st

#: Characters that text from the wild holds: line ends, invisible and bidirectional marks,
#: surrogates, NUL.
ODD = (
    "\r\n\t\v\f\u00a0\u00ad\u200b\u200c\u200d\u2060\ufeff\u2028\x85\u202e\u202b"
    "\u0627\u05d0\u0301\U0001f600\x00\x1b\ud800\udfff"
)

FRAGMENTS = (
    "Chief Complaint:",
    "HPI:",
    "PMH",
    "## Exam",
    "**Labs**",
    "FAMILY HISTORY -",
    "1. Plan:",
    "- ",
    "* ",
    "\u2022 ",
    "3) ",
    "denies ",
    "no ",
    "without ",
    "h/o ",
    "mother had ",
    "negative for ",
    "possible ",
    "but ",
    "and ",
    "with ",
    "(-) ",
    "+",
    "chest pain",
    "fever",
    "dyspnea on exertion",
    "CREAT-1.7* ",
    "NA-137 ",
    "BP 120/80 ",
    "HR 96, ",
    "T 38.4 \u00b0C",
    "<0.04",
    "Dr. ",
    "q.d. ",
    "20 min. ",
    "? ",
    "! ",
    ". ",
    "; ",
    ", ",
    ": ",
    " | ",
    "\n",
    "\r\n",
    "\n\n",
    "\t",
    "   ",
    "\r",
    "...",
    "((",
    '"',
    "<|im_end|>",
    "</s>",
    "[/INST]",
    "{{ note }}",
    "FINAL DIAGNOSIS:",
    "Step 1:",
    " Supporting evidence: ",
    "$Input1",
    "\\n",
)


def texts(odd: str = ODD) -> st.SearchStrategy[str]:
    """Any text of 1 to 20,000 characters, mostly made of what stands in notes."""
    piece = st.one_of(
        st.sampled_from(FRAGMENTS),
        st.text(st.sampled_from(odd + "aA1 .,:"), max_size=6),
        st.text(max_size=8),
    )
    body = st.lists(piece, min_size=1, max_size=40).map("".join)
    return st.builds(
        lambda text, times: (text * times)[:20_000],
        body,
        st.sampled_from((1, 1, 1, 2, 20)),
    ).filter(bool)


def plain_texts() -> st.SearchStrategy[str]:
    """Texts that may be a note: no control characters and no lone surrogates."""
    odd = "".join(char for char in ODD if char not in "\x00\x1b\ud800\udfff")
    keep = st.characters(exclude_categories=("Cs", "Cc"))
    piece = st.one_of(
        st.sampled_from(FRAGMENTS),
        st.text(st.sampled_from(odd + "aA1 .,:"), max_size=6),
        st.text(keep, max_size=8),
    )
    body = st.lists(piece, min_size=1, max_size=40).map("".join)
    return st.builds(
        lambda text, times: (text * times)[:20_000],
        body,
        st.sampled_from((1, 1, 1, 2, 20)),
    ).filter(bool)


def json_values() -> st.SearchStrategy[object]:
    """Any parsed JSON, with the keys of cases among its keys."""
    keys = st.sampled_from(
        (
            "note",
            "text",
            "id",
            "case",
            "case_id",
            "sections",
            "HPI",
            "input1",
            "input6",
            "physical_exam",
            "",
            "case_prompt",
            "PMH",
        ),
    )
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=20)
        | st.sampled_from(FRAGMENTS)
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(keys | st.text(max_size=5), inner, max_size=5)
        ),
        max_leaves=12,
    )
