"""Post-training quantisation to int8 with NNCF, calibrated on pictures and on what is asked.

Weights are rounded to 8 bits for each output channel; the ranges of what flows between the
layers are read off while the network looks at real pictures, hence the calibration.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ocelot.encoders.openvino.graphs import Graphs, ModelSpec, openvino, sequence, silenced
from ocelot.errors import ConfigurationError, EncoderError
from ocelot.images.decode import hash_bytes
from ocelot.model.preprocess import Pixels

__all__ = ["SAMPLE", "TEXTS", "quantise", "sample", "signature"]

SAMPLE = 64  # pictures: with 32 the cosines with fp32 are as good to 0.0002, with 128 too

# What is asked of pictures: another colour, material, place, kind or number, long and short, in
# several languages. The words' ranges depend on how a text is built rather than on its subject.
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
    """At most `count` of the pictures, evenly spaced in their order, always the same ones."""
    step = max(1.0, len(pictures) / count)
    return [pictures[int(place * step)] for place in range(min(count, len(pictures)))]


def signature(pictures: Sequence[bytes]) -> str:
    """What names a calibration: its settings and the bytes of its pictures, 64 hex digits."""
    parts = [_SETTINGS, *(hash_bytes(picture) for picture in pictures)]
    return hash_bytes(" ".join(parts).encode())


def quantise(
    graphs: Graphs,
    outline: ModelSpec,
    pixels: Sequence[Pixels],
    texts: Sequence[Sequence[int]],
    calibration: str,
) -> Graphs:
    """The graphs with int8 arithmetic.

    Args:
        graphs: In fp32.
        pixels: Prepared pictures, uint8, shape (3, size, size) each; at least one.
        texts: Token ids of `TEXTS`; the first is the empty text.
        calibration: Their `signature`.

    Raises:
        ConfigurationError: NNCF is not installed.
        EncoderError: It failed.
    """
    seen = [np.ascontiguousarray(one)[None] for one in pixels]
    look = openvino().Core().compile_model(graphs.vision, "CPU")
    tokens = [look(one)[0] for one in seen]
    empty, *asked = texts
    # Each way that a picture or a text comes: alone, and both together.
    beside = [empty if n % 2 else asked[n // 2 % len(asked)] for n in range(len(tokens))]
    read = [sequence(outline, one, [text]) for one, text in zip(tokens, beside, strict=True)]
    read += [sequence(outline, None, [one]) for one in asked]
    try:
        with _quiet():
            vision, reader = _quantised(graphs.vision, seen), _quantised(graphs.reader, read)
    except ImportError as error:
        raise ConfigurationError(
            f"int8 needs more packages to calibrate ({error.name} is missing): "
            "pip install 'ocelot-search[openvino]'."
        ) from None
    except Exception as error:  # errors of its own, of NumPy and of OpenVINO
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise EncoderError(
            f"Cannot calibrate {outline.name} for int8 ({cause}): use --precision bf16 or fp32."
        ) from error
    return Graphs(vision, reader, calibration, len(pixels))


def _quantised(graph: Any, inputs: Sequence[Any]) -> Any:
    import nncf

    return nncf.quantize(
        graph,
        nncf.Dataset(inputs),
        subset_size=len(inputs),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        target_device=nncf.TargetDevice.CPU,
        ignored_scope=nncf.IgnoredScope(names=_stem(graph)),
        # Moving outliers from activations into weights, meant for language models, spoils the
        # vectors of some pictures: the least cosine with fp32 was 0.80 with it, 0.97 without.
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=-1)
        ),
    )


def _stem(graph: Any) -> list[str]:
    """The first convolution: little of the work, and all that is seen goes through it."""
    operations = graph.get_ordered_ops()
    found = (one for one in operations if one.get_type_name() == "Convolution")
    return [one.get_friendly_name() for one in found][:1]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """NNCF without usage events, log lines and bars, leaving `logging` as it was."""
    kind = logging.getLoggerClass()
    try:
        with silenced():
            import nncf
        logging.getLogger(nncf.__name__).setLevel(logging.CRITICAL)
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.setLoggerClass(kind)
