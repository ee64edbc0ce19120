"""Check every knowledge file: ``python -m dxtrace.knowledge [CATEGORY ...]``."""

from __future__ import annotations

import sys

from dxtrace import knowledge
from dxtrace.errors import DxtraceError


def main() -> int:
    """Check the categories named, or all; print problems; return the exit code."""
    failed = False
    for name in sys.argv[1:] or knowledge.written():
        try:
            loaded = knowledge.load(name)
        except DxtraceError as error:
            failed = True
            print(str(error).replace("; ", "\n  - ").replace(": ", ":\n  - ", 1))
        else:
            ways = sum(len(finding.says.all) for finding in loaded.findings)
            print(f"{loaded.category}: {len(loaded.findings)} findings, {ways} ways to say them")
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
