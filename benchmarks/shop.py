"""Drawn pictures for the benchmarks, from the recipe beside the package."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from recipes.ocelot_tiny.benchmark import write_benchmark
from recipes.ocelot_tiny.catalogue.write import write_catalogue

__all__ = ["write_benchmark", "write_catalogue"]
