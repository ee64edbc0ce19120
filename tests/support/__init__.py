"""What several test files share: strategies, engines without a model, servers, browsers, commands."""

from __future__ import annotations

from pathlib import Path

#: The project's folder.
ROOT = Path(__file__).parents[2]

#: Small invented files that tests read.
DATA = ROOT / "tests" / "data"
