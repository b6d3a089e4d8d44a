"""Retrieval metrics on queries with known answers: own triplets, and the field's benchmarks."""

from ocelot.evaluation.benchmarks.triplets import TripletQuery, read_triplets
from ocelot.evaluation.figures import Evaluation, Figures, evaluate, evaluate_triplets
from ocelot.evaluation.run import rank
from ocelot.evaluation.text_weight import TextWeight, choose_text_weight

__all__ = [
    "Evaluation", "Figures", "TextWeight", "TripletQuery", "choose_text_weight", "evaluate",
    "evaluate_triplets", "rank", "read_triplets",
]  # fmt: skip
