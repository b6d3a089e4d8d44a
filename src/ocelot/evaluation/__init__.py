"""How good retrieval is, measured."""

from ocelot.evaluation.datasets import TripletQuery, read_triplets
from ocelot.evaluation.run import Evaluation, check_names, evaluate_triplets

__all__ = ["Evaluation", "TripletQuery", "check_names", "evaluate_triplets", "read_triplets"]
