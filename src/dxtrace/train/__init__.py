"""From a recipe to an adapter: recipe, preflight, run."""

from dxtrace.train.recipe import Recipe, load_recipe, recipe_names
from dxtrace.train.run import Outcome, Prepared, prepare, train

__all__ = ["Outcome", "Prepared", "Recipe", "load_recipe", "prepare", "recipe_names", "train"]
