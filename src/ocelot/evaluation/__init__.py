"""Retrieval metrics on queries with known answers."""

from ocelot.evaluation.datasets import TripletQuery, read_triplets
from ocelot.evaluation.run import Evaluation, Figures, evaluate_triplets
from ocelot.evaluation.text_weight import TextWeight, choose_text_weight

__all__ = [
    "Evaluation", "Figures", "TextWeight", "TripletQuery", "choose_text_weight",
    "evaluate_triplets", "read_triplets",
]  # fmt: skip
