"""From a recipe to an adapter: recipe, preflight, run, card, publishing."""

import logging
import warnings

from dxtrace.train.card import write_card
from dxtrace.train.curves import plot_losses, read_metrics
from dxtrace.train.finish import finish_run
from dxtrace.train.prepared import Outcome, Prepared
from dxtrace.train.publish import check_publishable, publish
from dxtrace.train.recipe import Recipe, load_recipe, recipe_names
from dxtrace.train.run import prepare, train
from dxtrace.train.sweep import Trial, sweep

# What the libraries tell each other's authors; a notebook would show it to the reader.
warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

__all__ = [
    "Outcome",
    "Prepared",
    "Recipe",
    "Trial",
    "check_publishable",
    "finish_run",
    "load_recipe",
    "plot_losses",
    "prepare",
    "publish",
    "read_metrics",
    "recipe_names",
    "sweep",
    "train",
    "write_card",
]
