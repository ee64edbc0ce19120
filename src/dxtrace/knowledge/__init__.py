"""What dxtrace knows: one checked YAML file a category, and the premises in them."""

from dxtrace.knowledge.checks import VITALS, find_problems
from dxtrace.knowledge.leaks import leaked_names
from dxtrace.knowledge.loading import (
    Premise,
    frequency,
    load,
    occurs,
    premises,
    slug,
    written,
)
from dxtrace.knowledge.schema import CategoryKnowledge, Finding, Says
from dxtrace.knowledge.taxonomy import Category, Node, Taxonomy
from dxtrace.knowledge.wordings import Wordings

__all__ = [
    "VITALS",
    "Category",
    "CategoryKnowledge",
    "Finding",
    "Node",
    "Premise",
    "Says",
    "Taxonomy",
    "Wordings",
    "find_problems",
    "frequency",
    "leaked_names",
    "load",
    "occurs",
    "premises",
    "slug",
    "written",
]
