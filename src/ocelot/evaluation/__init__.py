"""Retrieval metrics on queries with known answers."""

from ocelot.evaluation.datasets import TripletQuery, read_triplets
from ocelot.evaluation.run import Evaluation, Figures, evaluate_triplets

__all__ = ["Evaluation", "Figures", "TripletQuery", "evaluate_triplets", "read_triplets"]
