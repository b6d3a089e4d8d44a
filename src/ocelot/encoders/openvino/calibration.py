"""Post-training quantisation to int8 with NNCF, calibrated on images and typical texts.

Weights are rounded to 8 bits per output channel. The ranges of activations are measured while
the network encodes real images: that is the calibration.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ocelot.encoders.openvino.graphs import (
    Graphs,
    openvino,
    reader_inputs,
    short_cause,
    without_telemetry,
)
from ocelot.errors import ConfigurationError, EncoderError
from ocelot.images.decode import hash_bytes
from ocelot.model.geometry import ModelSpec
from ocelot.model.preprocess import Pixels

__all__ = ["SAMPLE", "TEXTS", "quantise", "sample", "signature"]

SAMPLE = 64  # images; with 32 or 128 the cosines with fp32 differ by at most 0.0002

# Typical texts beside an image: another colour, material, place, kind or number, long and short,
# in several languages. Activations depend on how a text is built rather than on its subject.
TEXTS = (
    "in blue", "the same in red, without the stripes", "phone case with this image theme",
    "a striped toaster", "leopard", "as a mug", "made of wood instead of metal",
    "a larger one with two handles", "seen from the side", "with a white background",
    "find a dress with this pattern but long sleeves", "cheaper and simpler",
    "the dog is lying on the grass and a second one is behind it",
    "same style, but for a kitchen", "no logo", "darker", "a poster with this picture on it",
    "wireless headphones, black, over the ear, with a soft band and a case to carry them in",
    "in Blau, ohne Muster", "la même en vert", "el mismo diseño en una camiseta", "同じ柄の財布",
    "红色的", "такая же, но меньше",
)  # fmt: skip
_SETTINGS = "mixed, fast bias correction, stem in float/3"


def sample(pictures: Sequence[Path], count: int = SAMPLE) -> list[Path]:
    """Return at most `count` of the pictures, evenly spaced, and always the same ones."""
    step = max(1.0, len(pictures) / count)
    return [pictures[int(place * step)] for place in range(min(count, len(pictures)))]


def signature(ids: Sequence[str]) -> str:
    """Return a hash of the settings and of the pictures' ids, 64 hex digits."""
    return hash_bytes(" ".join([_SETTINGS, *ids]).encode())


def quantise(
    graphs: Graphs,
    spec: ModelSpec,
    pixels: Sequence[Pixels],
    texts: Sequence[Sequence[int]],
    calibration: str,
) -> Graphs:
    """Return the graphs with int8 arithmetic.

    Args:
        graphs: In fp32.
        pixels: At least one image, uint8, shape (3, size, size) each.
        texts: Token ids of `TEXTS`; the first is the empty text.
        calibration: Their `signature`.

    Raises:
        ConfigurationError: NNCF is not installed.
        EncoderError: The quantisation failed.
    """
    images = [np.ascontiguousarray(one)[None] for one in pixels]
    vision = openvino().Core().compile_model(graphs.vision, "CPU")
    tokens = [vision(image)[0] for image in images]
    empty, *phrases = texts
    # All kinds of inputs: images alone, texts alone, and both together.
    beside = [empty if n % 2 else phrases[n // 2 % len(phrases)] for n in range(len(tokens))]
    pairs = [*zip(tokens, beside, strict=True), *((None, phrase) for phrase in phrases)]
    read = [reader_inputs(spec.geometry, image, [text]) for image, text in pairs]
    try:
        with _quiet():
            quantised = _quantise(graphs.vision, images), _quantise(graphs.reader, read)
    except ImportError as error:
        raise ConfigurationError(
            f"int8 needs more packages to calibrate ({error.name} is missing): "
            "pip install 'ocelot-search[openvino]'."
        ) from None
    except Exception as error:  # errors of NNCF, NumPy and OpenVINO
        raise EncoderError(
            f"Cannot calibrate {spec.name} for int8 ({short_cause(error)}): "
            "use --precision bf16 or fp32."
        ) from error
    return Graphs(*quantised, calibration, len(pixels))


def _quantise(graph: Any, inputs: Sequence[Any]) -> Any:
    import nncf

    return nncf.quantize(
        graph,
        nncf.Dataset(inputs),
        subset_size=len(inputs),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        target_device=nncf.TargetDevice.CPU,
        ignored_scope=nncf.IgnoredScope(names=_first_convolution(graph)),
        # SmoothQuant, made for language models, spoils the vectors of some images: the lowest
        # cosine with fp32 was 0.80 with it and 0.97 without.
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=-1)
        ),
    )


def _first_convolution(graph: Any) -> list[str]:
    """Return its name: it is little of the work, and the whole image goes through it."""
    operations = graph.get_ordered_ops()
    found = (one for one in operations if one.get_type_name() == "Convolution")
    return [one.get_friendly_name() for one in found][:1]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Run NNCF without usage events, log lines and progress bars, and leave `logging` as it was."""
    logger_class = logging.getLoggerClass()  # which the import of NNCF replaces
    try:
        with without_telemetry():
            import nncf
        logger = logging.getLogger(nncf.__name__)
        level = logger.level
        logger.setLevel(logging.CRITICAL)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        finally:
            logger.setLevel(level)
    finally:
        logging.setLoggerClass(logger_class)
