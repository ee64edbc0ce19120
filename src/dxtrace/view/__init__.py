"""One renderer for the static page, the case library, the notebook cell and the web app.

The page is plain HTML, CSS and JavaScript in ``assets/``: no framework, no build step, no request
to anywhere. Everything that comes from a note reaches the page as data and is shown as text.
"""

from dxtrace.chain import register_renderer
from dxtrace.view._data import (
    MAX_READINGS,
    Reading,
    ViewCase,
    about_of,
    label_of,
    reading_of,
    title_of,
)
from dxtrace.view._page import app_page, content_policy, library, notebook_html, page
from dxtrace.view._static import STATIC_STYLE, static_case_html
from dxtrace.view._trust import trust_in
from dxtrace.view.reading import Found, read_results

__all__ = [
    "MAX_READINGS",
    "STATIC_STYLE",
    "Found",
    "Reading",
    "ViewCase",
    "about_of",
    "app_page",
    "content_policy",
    "label_of",
    "library",
    "notebook_html",
    "page",
    "read_results",
    "reading_of",
    "static_case_html",
    "title_of",
    "trust_in",
]

register_renderer(notebook_html)
