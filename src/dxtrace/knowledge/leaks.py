"""Names of a diagnosis that stand in a text."""

from __future__ import annotations

import re
from functools import cache

from dxtrace.knowledge.taxonomy import Category


def leaked_names(text: str, category: Category) -> list[str]:
    """Return the names of a category or its nodes that stand in ``text`` (whole words, case
    folded).
    """
    leaked_names = []
    for name, pattern in _name_patterns(category):
        if pattern.search(text):
            leaked_names.append(name)
    return leaked_names


@cache
def _name_patterns(
    category: Category,
) -> tuple[tuple[str, re.Pattern[str]], ...]:
    name_patterns = []
    for name in category.names:
        name_patterns.append(
            (
                name,
                re.compile(
                    rf"(?<![A-Za-z0-9]){_flexible(name)}(?:'?s|es)?(?![A-Za-z0-9])",
                    re.IGNORECASE,
                ),
            )
        )
    return tuple(name_patterns)


def _flexible(name: str) -> str:
    """Let any run of spaces or hyphens stand between the words of a name."""
    return r"[\s\-]+".join(re.escape(word) for word in re.split(r"[\s\-]+", name))
