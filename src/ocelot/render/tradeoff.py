"""A plot of recall against latency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ocelot.errors import ConfigurationError, StorageError
from ocelot.files import atomic_path

if TYPE_CHECKING:
    from ocelot.collection.tuning import Measured

__all__ = ["draw_tradeoff", "require_matplotlib"]


def require_matplotlib() -> None:
    """Raise a `ConfigurationError` if matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            "A plot needs matplotlib: pip install 'ocelot-search[train]', or leave out --plot."
        ) from None


def draw_tradeoff(file: Path, measured: Sequence[Measured], recall: float) -> None:
    """Draw a PNG: a line for each index, a point for each set of parameters.

    Args:
        recall: The one that is wanted, drawn as a vertical line.

    Raises:
        StorageError: The file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for index in dict.fromkeys(one.index for one in measured):
        points = [
            (one.recall, 1000 * one.p50, str(one).partition(" with ")[2])
            for one in measured
            if one.index == index
        ]
        axes.plot([x for x, _, _ in points], [y for _, y, _ in points], marker="o", label=index)
        for x, y, name in points:
            axes.annotate(name, (x, y), xytext=(3, 3), textcoords="offset points", fontsize=7)
    axes.axvline(recall, linestyle="--", linewidth=1, color="grey", label=f"recall {recall:g}")
    axes.set_xlabel("recall@9")
    axes.set_ylabel("median of one search, ms")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    try:
        with atomic_path(file) as partial:
            figure.savefig(partial, format="png", dpi=120, backend="agg")
    except OSError as error:
        raise StorageError(
            f"The plot {file} cannot be written ({error.strerror or error}); choose another path."
        ) from error
