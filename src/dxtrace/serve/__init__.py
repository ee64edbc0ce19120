"""The web app on the same renderer: paste a case, watch the answer stream; a JSON API on the same
contract.

It needs the extra ``serve``. Nothing that is sent to it is stored or logged.
"""

from __future__ import annotations

import importlib.util

from dxtrace.errors import MissingExtra

for _module in ("fastapi", "uvicorn"):
    if importlib.util.find_spec(_module) is None:
        raise MissingExtra("dxtrace serve", "serve")

from dxtrace.serve._app import Settings, create_app  # noqa: E402
from dxtrace.serve._guard import Guard, Rules  # noqa: E402
from dxtrace.serve._http import HEAD_S, make_server  # noqa: E402
from dxtrace.serve._line import Answerer, Line  # noqa: E402

__all__ = ["HEAD_S", "Answerer", "Guard", "Line", "Rules", "Settings", "create_app", "make_server"]
