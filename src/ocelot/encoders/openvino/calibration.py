"""Post-training quantisation to int8 with NNCF, calibrated on images and typical texts.

Weights are rounded to 8 bits per output channel. The ranges of activations are measured while
the network encodes real images: that is the calibration.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import numpy as np

from ocelot.encoders.openvino.graphs import Graphs, mapped_errors, package, reader_inputs
from ocelot.encoders.openvino.network import IN_FLOAT
from ocelot.errors import ImageError
from ocelot.images.decode import hash_bytes
from ocelot.images.file import ImageFile
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.preprocess import Pixels, to_pixels

__all__ = ["SAMPLE", "TEXTS", "decode_sample", "quantise"]

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
# Change it with the quantisation.
_SETTINGS = "mixed, fast bias correction, stem and instance part in float/4"


def decode_sample(pictures: Sequence[Path], size: int) -> tuple[str, list[Pixels]]:
    """Decode at most `SAMPLE` of the pictures, evenly spaced, and always the same ones.

    Returns:
        A hash of the settings and the images, 16 hex digits; and the images that can be decoded,
        uint8, shape (3, size, size) each.
    """
    step = max(1.0, len(pictures) / SAMPLE)
    ids, pixels = [], []
    for place in range(min(SAMPLE, len(pictures))):
        with suppress(ImageError):  # indexing reports it
            image = ImageFile.of(pictures[int(place * step)])
            pixels.append(to_pixels(image.rgb(), size))
            ids.append(image.id)
    return hash_bytes(" ".join([_SETTINGS, *ids]).encode())[:16], pixels


def quantise(
    graphs: Graphs, checkpoint: Checkpoint, pixels: Sequence[Pixels], calibration: str
) -> Graphs:
    """Return the graphs with int8 arithmetic.

    Args:
        graphs: In fp32.
        calibration, pixels: From `decode_sample`; at least one image.
    """
    images = [np.ascontiguousarray(one)[None] for one in pixels]
    vision = package("openvino").Core().compile_model(graphs.vision, "CPU")
    texts = [checkpoint.tokenizer(text, checkpoint.geometry.longest_caption) for text in TEXTS]
    # All kinds of inputs: images alone, texts alone, and both together.
    read: list[tuple[Any, Sequence[int]]] = []
    for n, image in enumerate(images):
        text = checkpoint.tokenizer.empty if n % 2 else texts[n // 2 % len(texts)]
        read.append((vision(image)[0], text))
    read += [(None, text) for text in texts]
    inputs = [reader_inputs(checkpoint.geometry, tokens, [text]) for tokens, text in read]
    with (
        _quiet(),
        mapped_errors(f"Cannot calibrate {checkpoint.name} for int8", "use another --precision"),
    ):
        quantised = _quantise(graphs.vision, images), _quantise(graphs.reader, inputs)
    return Graphs(*quantised, calibration, len(pixels))


def _quantise(graph: Any, inputs: Sequence[Any]) -> Any:
    nncf = package("nncf")
    ops = graph.get_ordered_ops()
    # In float stay the first convolution, which is little of the work and sees the whole image, and
    # the product that tells designs apart, where small differences count.
    first = [one for one in ops if one.get_type_name() == "Convolution"][:1]
    apart = [one for one in ops if one.get_friendly_name() == IN_FLOAT]
    names = [one.get_friendly_name() for one in (*first, *apart)]
    return nncf.quantize(
        graph,
        nncf.Dataset(inputs),
        subset_size=len(inputs),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        target_device=nncf.TargetDevice.CPU,
        ignored_scope=nncf.IgnoredScope(names=names),
        # SmoothQuant, made for language models, spoils the vectors of some images: the lowest
        # cosine with fp32 was 0.80 with it and 0.97 without.
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=-1)
        ),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Run NNCF without usage events, log lines and progress bars, and leave `logging` as it was."""
    with ExitStack() as undo, redirect_stdout(io.StringIO()):
        undo.callback(logging.setLoggerClass, logging.getLoggerClass())  # the import replaces it
        logger = logging.getLogger(package("nncf").__name__)
        undo.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL)
        yield
