"""Scores that know the tree: a wrong type of the right illness is less wrong than another illness.

Hierarchical precision, recall and F1: each label is the set of itself and all that stands above it;
predicted and gold sets are compared. Source: Kiritchenko, Matwin and Famili 2005, "Functional
annotation of genes using hierarchical text categorization". The common root, which every label has,
is left out; the category counts as a node. The figure is given by case and averaged, where the source
pools the nodes of all cases: so it has groups and paired tests as every other metric here.
"""

from __future__ import annotations

from dataclasses import dataclass

from dxtrace.knowledge.taxonomy import Node, Taxonomy


@dataclass(frozen=True)
class Overlap:
    """Nodes of the predicted label, of the gold one, and of both."""

    predicted: int
    gold: int
    both: int

    @property
    def f1(self) -> float:
        """Hierarchical F1 of one case; 0 where nothing is predicted."""
        return 2 * self.both / (self.predicted + self.gold)


def overlap(predicted: Node | None, gold: Node) -> Overlap:
    """Return how the labels of one case overlap.

    Args:
        predicted: the last node that the answer reaches, a suspicion perhaps; None for none.
        gold: the gold diagnosis.
    """
    theirs = _with_ancestors(gold)
    if predicted is None:
        return Overlap(0, len(theirs), 0)
    ours = _with_ancestors(predicted)
    return Overlap(len(ours), len(theirs), len(ours & theirs))


def _with_ancestors(node: Node) -> set[tuple[str, ...]]:
    """Return the paths from the category to each node above, and to the node itself."""
    whole = (node.category, *node.path)
    nodes = set()
    for length in range(1, len(whole) + 1):
        nodes.add(whole[:length])
    return nodes


def overlap_of_names(predicted: str, gold: str, taxonomy: Taxonomy | None = None) -> Overlap:
    """Return the overlap of two diagnoses by their names.

    Raises:
        UnknownName: one of them is not in the taxonomy.
    """
    taxonomy = taxonomy or Taxonomy.default()
    return overlap(taxonomy.find(predicted), taxonomy.find(gold))
