"""The DiReCT authors' own knowledge files (``diagnostic_kg/*.json``,
``Diagnosis_flowchart/*.json``) as a taxonomy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dxtrace.errors import CorpusError, KnowledgeError
from dxtrace.files import read_json
from dxtrace.knowledge.taxonomy import Taxonomy

_MAX_DEPTH = 20


def read_direct_taxonomy(folder: str | Path) -> Taxonomy:
    """Read every ``.json`` of a folder (one category each, named by its file), or one such file, as
    a taxonomy.

    A file holds its tree under ``diagnostic``, or is the tree: nested objects, an empty list for a
    final diagnosis. Aliases, short forms and inner nodes that may be final are taken over from our
    own taxonomy where it has the node.

    Raises:
        CorpusError: there is no such file. KnowledgeError: a file is not such a tree; names it and
        what is wrong.
    """
    folder = Path(folder)
    files = [folder]
    if folder.is_dir():
        files = sorted(folder.glob("*.json"))
    if not files or not files[0].is_file():
        raise CorpusError(f"{folder}: no knowledge file (.json) here")
    records = []
    for file in files:
        records.append(_record(file))
    return Taxonomy.from_records(records, str(folder))


def _record(file: Path) -> dict[str, Any]:
    data = read_json(file, KnowledgeError)
    tree = data.get("diagnostic", data) if isinstance(data, dict) else None
    if not isinstance(tree, dict) or len(tree) != 1:
        raise KnowledgeError(f"{file}: expected a tree with one first node (under 'diagnostic')")
    record: dict[str, Any] = {"category": file.stem}
    own = Taxonomy.default().get_category(file.stem)
    if own:
        record = {"category": own.name, "aliases": own.aliases}
    record["tree"] = _tree(tree, str(file), 1)
    return record


def _tree(tree: dict[str, Any], place: str, depth: int) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        raise KnowledgeError(f"{place}: nested deeper than {_MAX_DEPTH}")
    nodes: dict[str, Any] = {}
    for name, below in tree.items():
        nodes[_name(name, place)] = _body(name, below, place, depth)
    return nodes


def _body(name: str, below: Any, place: str, depth: int) -> dict[str, Any]:
    if isinstance(below, list) and all(isinstance(item, str) for item in below):
        below = {item: [] for item in below}
    if not isinstance(below, dict):
        kind = type(below).__name__
        raise KnowledgeError(
            f"{place}: a node at depth {depth} holds {kind}, expected an object or []",
        )
    body: dict[str, Any] = {"children": _tree(below, place, depth + 1)}
    own = Taxonomy.default().get(name)
    if own is None:
        return body
    aliases = own.aliases
    if own.name.lower() != name.strip().lower():
        if own.path[:1] == (own.name,):
            # A derived name ("Suspected ...") of another node: its aliases are not this one's.
            return body
        aliases = (own.name, *own.aliases)
    return body | {
        "aliases": aliases,
        "short": own.short,
        "icd10cm": own.icd10cm,
        "final": own.final,
    }


def _name(name: str, place: str) -> str:
    if not name.strip():
        raise KnowledgeError(f"{place}: a node without a name")
    return " ".join(name.split())
