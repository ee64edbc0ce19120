"""The 25 disease categories, their trees of diagnosis nodes, and lookup by any name.

A *path* leads from the first suspicion ("Suspected Heart Failure") to a *diagnosis* ("HFrEF").
Names, shape and counts follow DiReCT (arXiv 2408.01933); see ``knowledge/taxonomy.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import Any

import yaml

from dxtrace.errors import KnowledgeError, UnknownName

_ATTRIBUTES = {"full", "aliases", "short", "typed", "icd10cm", "final", "children"}


@dataclass(frozen=True)
class Node:
    """One node of a category's tree. ``path`` runs from the tree's first node to this one."""

    name: str
    category: str
    path: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    icd10cm: str | None = None
    final: bool = False
    children: tuple[Node, ...] = ()
    full: str = ""
    typed: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """The name without abbreviations."""
        return self.full or self.name

    @property
    def is_leaf(self) -> bool:
        """True for a diagnosis with nothing below it."""
        return not self.children

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True)
class Category:
    """One disease category with the tree of its nodes."""

    name: str
    root: Node
    specialty: str = ""
    aliases: tuple[str, ...] = ()
    icd10cm: str | None = None
    typed: tuple[str, ...] = ()

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, parents before children."""
        return tuple(self.root.walk())

    @cached_property
    def diagnoses(self) -> tuple[Node, ...]:
        """The nodes that may be a final diagnosis: every leaf, and inner nodes marked ``final``."""
        diagnoses = []
        for node in self.nodes:
            if node.final:
                diagnoses.append(node)
        return tuple(diagnoses)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every full name of the category and of its nodes, aliases included, short forms not."""
        found = [self.name, *self.aliases]
        for node in self.nodes:
            found += [node.name, *node.aliases]
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Taxonomy:
    """All categories; the place to look a name up."""

    categories: tuple[Category, ...]
    _categories: dict[str, Category] = field(
        init=False,
        repr=False,
        compare=False,
        default_factory=dict,
    )
    _nodes: dict[str, Node] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for category in self.categories:
            for name in (category.name, *category.aliases):
                self._claim(self._categories, name, category)
        for node in self.nodes:
            self._claim(self._nodes, node.name, node)
        for node in self.nodes:
            for alias in (*node.aliases, *node.short):
                self._nodes.setdefault(_key(alias), node)
        for category in self.categories:
            self._add_derived_names(category)

    @staticmethod
    def _claim(index: dict[str, Any], name: str, owner: Any) -> None:
        if index.setdefault(_key(name), owner) is not owner:
            raise KnowledgeError(f"taxonomy: the name {name!r} is used twice")

    def _add_derived_names(self, category: Category) -> None:
        whole = _whole(category)
        names = [category.name, *category.aliases]
        for node in whole:
            names += [node.name, *node.aliases]
        strong = _strongly_suspected(category)
        for name in names:
            self._nodes.setdefault(_key(f"Suspected {name}"), category.root)
            self._nodes.setdefault(_key(f"Strongly Suspected {name}"), strong)
            self._categories.setdefault(_key(name), category)
            for node in whole:
                self._nodes.setdefault(_key(name), node)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every node of every tree."""
        nodes: list[Node] = []
        for category in self.categories:
            nodes += category.nodes
        return tuple(nodes)

    @cached_property
    def diagnoses(self) -> tuple[Node, ...]:
        """Every node that may be a final diagnosis (the labels that are ranked), in file order."""
        diagnoses = []
        for node in self.nodes:
            if node.final:
                diagnoses.append(node)
        return tuple(diagnoses)

    @cached_property
    def leaves(self) -> tuple[Node, ...]:
        """The innermost diagnoses."""
        leaves = []
        for node in self.nodes:
            if node.is_leaf:
                leaves.append(node)
        return tuple(leaves)

    def category(self, name: str) -> Category:
        """Look a category up by its name, its alias, or any name of one of its nodes.

        Raises:
            UnknownName: with suggestions, if there is none.
        """
        found = self.get_category(name)
        if found is None:
            known: list[str] = []
            for category in self.categories:
                known += [category.name, *category.aliases]
            raise UnknownName("category", name, known)
        return found

    def find(self, name: str) -> Node:
        """Look a node (suspicion, inner node or diagnosis) up by name, alias or short form.

        The name of a category with a single leaf finds that leaf.

        Raises:
            UnknownName: with suggestions, if there is none.
        """
        found = self.get(name)
        if found is None:
            known: list[str] = []
            for node in self.nodes:
                known += [node.name, *node.aliases]
            known += [category.name for category in self.categories]
            raise UnknownName("diagnosis", name, known, self.names_within(name))
        return found

    def get(self, name: str) -> Node | None:
        """Look a node up like :meth:`find`; None if there is none, without the milliseconds that
        suggestions take.
        """
        return self._nodes.get(_key(name))

    def names_within(self, text: str) -> list[str]:
        """Return the diagnoses that a longer name holds: STEMI-ACS for "anterior STEMI".

        The longest name that stands in it counts alone: "type 2 diabetes" is no "diabetes".
        """
        words = _key(text).split()
        for length in range(len(words), 0, -1):
            found = []
            for start in range(len(words) - length + 1):
                node = self._nodes.get(" ".join(words[start : start + length]))
                if node is not None and node.final:
                    found.append(node.name)
            if found:
                return list(dict.fromkeys(found))
        return []

    def get_category(self, name: str) -> Category | None:
        """Look a category up like :meth:`category`; None if there is none."""
        category = self._categories.get(_key(name))
        node = self.get(name)
        if category is None and node is not None:
            return self._categories[_key(node.category)]
        return category

    def category_of(self, node: Node | str) -> Category:
        """Return the category that a node (or a node's name) belongs to."""
        if isinstance(node, str):
            node = self.find(node)
        return self.category(node.category)

    @classmethod
    def from_records(
        cls,
        records: Sequence[Mapping[str, Any]],
        place: str = "taxonomy",
    ) -> Taxonomy:
        """Build from the parsed form of ``taxonomy.yaml`` (a list of categories).

        Raises:
            KnowledgeError: naming the place and what is wrong with it.
        """
        try:
            return cls(tuple(_read_category(record) for record in records))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise KnowledgeError(
                f"{place}: not a list of categories with a tree each ({error!r})",
            ) from None

    @classmethod
    @cache
    def default(cls) -> Taxonomy:
        """The taxonomy that ships with dxtrace."""
        file = resources.files("dxtrace.knowledge").joinpath("data", "taxonomy.yaml")
        # The loader in C is ten times as fast, but not in every build of PyYAML.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return cls.from_records(yaml.load(file.read_text("utf-8"), loader))


def _key(name: str) -> str:
    """Fold case, punctuation and spacing: what makes two spellings of a name equal."""
    name = name.lower().replace("\u2019", "'").replace("'s", "")
    return re.sub(r"[^a-z0-9]+", " ", name).strip()


def _whole(category: Category) -> list[Node]:
    """Return the nodes that the category's name may mean: those called so, else its only leaf."""
    namesakes = []
    for node in category.nodes:
        if node.name == category.name:
            namesakes.append(node)
    leaves = []
    for node in category.nodes:
        if node.is_leaf:
            leaves.append(node)
    if not namesakes and len(leaves) == 1:
        return leaves
    return namesakes


def _strongly_suspected(category: Category) -> Node:
    for node in category.nodes:
        if node.name.startswith("Strongly Suspected"):
            return node
    return category.root


def _read_category(record: Mapping[str, Any]) -> Category:
    ((root_name, root_body),) = record["tree"].items()
    return Category(
        name=record["category"],
        specialty=record.get("specialty", ""),
        aliases=tuple(record.get("aliases", ())),
        icd10cm=record.get("icd10cm"),
        typed=tuple(record.get("typed", ())),
        root=_read_node(root_name, root_body, record["category"], ()),
    )


def _read_node(
    name: str,
    body: Mapping[str, Any] | None,
    category: str,
    above: tuple[str, ...],
) -> Node:
    attributes = dict(body or {})
    if not (_ATTRIBUTES & attributes.keys()):
        # Without attributes a node is its children.
        attributes = {"children": attributes}
    path = (*above, name)
    children: list[Node] = []
    for child, inner in attributes.get("children", {}).items():
        children.append(_read_node(child, inner, category, path))
    return Node(
        name=name,
        category=category,
        path=path,
        aliases=tuple(attributes.get("aliases", ())),
        short=tuple(attributes.get("short", ())),
        icd10cm=attributes.get("icd10cm"),
        final=not children or bool(attributes.get("final")),
        children=tuple(children),
        full=attributes.get("full", ""),
        typed=tuple(attributes.get("typed", ())),
    )
