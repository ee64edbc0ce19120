"""Systems to stand beside: what little knowledge, or none, reaches."""

from dxtrace.evaluate.baselines.chains import STEPS, answer_chain
from dxtrace.evaluate.baselines.registry import BASELINES, LEARNT, make_baseline

__all__ = ["BASELINES", "LEARNT", "STEPS", "answer_chain", "make_baseline"]
