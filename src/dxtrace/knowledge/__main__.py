"""Check every knowledge file: ``python -m dxtrace.knowledge [CATEGORY ...]``."""

from __future__ import annotations

import sys

from dxtrace import knowledge
from dxtrace.errors import DxtraceError
from dxtrace.knowledge.background import background


def main() -> int:
    """Check the categories named, or all and the background; print problems; return the exit code."""
    failed = False
    if not sys.argv[1:]:
        try:
            loaded_background = background()
        except DxtraceError as error:
            failed = True
            print(str(error).replace("; ", "\n  - ").replace(": ", ":\n  - ", 1))
        else:
            print(
                f"background: {len(loaded_background.comorbidities)} illnesses, {len(loaded_background.tests)} tests",
            )
    for name in sys.argv[1:] or knowledge.written():
        try:
            loaded = knowledge.load(name)
        except DxtraceError as error:
            failed = True
            print(str(error).replace("; ", "\n  - ").replace(": ", ":\n  - ", 1))
        else:
            ways = sum(len(finding.says.all) for finding in loaded.findings)
            print(f"{loaded.category}: {len(loaded.findings)} findings, {ways} ways to say them")
    if failed:
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
