"""The Visualized BGE encoder computed by OpenVINO: fp32, bf16, or int8 calibrated on pictures."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ocelot.encoders.base import Encoder, Matrix
from ocelot.encoders.chunks import chunks
from ocelot.encoders.openvino.calibration import SAMPLE, TEXTS, quantise, sample, signature
from ocelot.encoders.openvino.graphs import (
    Graphs,
    ModelSpec,
    home,
    latest,
    make_latest,
    openvino,
    read_graphs,
    recall,
    remember,
    sequence,
    write_graphs,
)
from ocelot.encoders.sources import Source, locate
from ocelot.errors import ConfigurationError, EncoderError, ImageError
from ocelot.images.file import ImageFile
from ocelot.model.preprocess import DECODE_MARGIN, Pixels, to_pixels
from ocelot.model.tokenizer import TextTokenizer
from ocelot.types import Input

if TYPE_CHECKING:
    from ocelot.model.checkpoint import Checkpoint

__all__ = ["Calibration", "OpenVINOEncoder"]

log = logging.getLogger(__name__)

_TOKENS = 3200  # of a batch's pictures
_WORDS = 32  # of a text that is not long
_HINTS = {"fp32": "f32", "bf16": "bf16"}


@dataclass(frozen=True)
class Calibration:
    """Pictures to calibrate int8 on.

    Attributes:
        pictures: Lists them; asked only when they are needed, and sampled then.
        chosen: Whether the user named these very pictures: then another calibration that is
            kept does not do. Otherwise one that saw as many pictures does.
    """

    pictures: Callable[[], Sequence[Path]]
    chosen: bool = False


class OpenVINOEncoder(Encoder):
    """Visualized BGE as OpenVINO graphs, on the processor.

    Its vectors can be compared with those of `VisualizedBGE` from the same checkpoint: both have
    its fingerprint, and `runtime` tells them apart.

    >>> encoder = OpenVINOEncoder.load("ocelot-tiny")
    >>> encoder.encode([(None, "a blue kettle")]).shape
    (1, 256)
    """

    def __init__(
        self, outline: ModelSpec, tokenizer: TextTokenizer, graphs: Graphs, precision: str
    ) -> None:
        """Compile graphs for this processor.

        Raises:
            EncoderError: OpenVINO cannot compile them.
        """
        self.name = outline.name
        self.fingerprint = outline.fingerprint
        self.dimension = outline.dimension
        # Enough for every core; OpenVINO keeps memory for the largest batch that it has seen.
        self.batch_size = max(4, min(32, _TOKENS // outline.image_tokens))
        self.precision = precision
        self.runtime = f"openvino {precision} {graphs.calibration[:4]}".rstrip()
        self.decode_side = int(DECODE_MARGIN * outline.image_size)
        self.tokenizer = tokenizer
        self._outline = outline
        self._turn = threading.Lock()  # one request has every core: two at once gain nothing
        hint = precision if precision in _HINTS else _best_float()
        core = openvino().Core()
        options = {"INFERENCE_PRECISION_HINT": _HINTS[hint], "PERFORMANCE_HINT": "LATENCY"}
        try:
            self._vision, self._reader = (
                core.compile_model(graph, "CPU", options).create_infer_request()
                for graph in (graphs.vision, graphs.reader)
            )
        except RuntimeError as error:
            raise EncoderError(
                f"OpenVINO cannot use {self.name} on this machine ({_first_line(error)}): "
                "use --backend torch."
            ) from error

    @classmethod
    def load(
        cls,
        name_or_path: str | Path = "ocelot-tiny",
        *,
        text_model: str | Path | None = None,
        precision: str = "auto",
        calibration: Calibration | None = None,
        reduced_decoding: bool = True,
    ) -> OpenVINOEncoder:
        """Load by name or from files; converted once, then read from the cache.

        Args:
            name_or_path, text_model: As of `VisualizedBGE.load`.
            precision: "fp32", "bf16" or "int8"; "auto" is bf16 where the processor computes in
                it, else fp32.
            calibration: Pictures for int8; not needed where a calibration is in the cache.
            reduced_decoding: As of `VisualizedBGE.load`.

        Raises:
            CheckpointError: Files are missing, damaged or do not fit together.
            ConfigurationError: OpenVINO is not installed, the precision is none of its, or int8
                was never calibrated and there are no pictures to do it.
            DownloadError: The hub cannot be reached.
            EncoderError: OpenVINO cannot convert or compile the network.
        """
        chosen = _precision(precision)
        source = locate(name_or_path, text_model)
        loaded = _Loading(source)
        graphs = loaded.float() if chosen != "int8" else loaded.int8(calibration)
        encoder = cls(loaded.outline, loaded.tokenizer, graphs, chosen)
        if not reduced_decoding:
            encoder.decode_side = None
        return encoder

    def prepare(self, item: Input) -> tuple[Pixels | None, tuple[int, ...]]:
        """Decode, resize, crop and tokenise one item; thread-safe.

        Returns:
            Pixels, uint8, shape (3, size, size), or None without an image; token ids.
        """
        if item.image is None:
            return None, self.tokenizer(item.text, self._outline.longest_text)
        image = item.image.rgb(self.decode_side)
        ids = self.tokenizer(item.text, self._outline.longest_caption)
        return to_pixels(image, self._outline.image_size), ids

    def embed(self, batch: Sequence[tuple[Pixels | None, Sequence[int]]]) -> Matrix:
        """Vectors in the order of the batch; images and bare texts run apart, like lengths
        together, at most `batch_size` at a time and of long texts fewer."""
        vectors = np.empty((len(batch), self.dimension), dtype=np.float32)
        for with_image in (True, False):
            kind = [n for n, one in enumerate(batch) if (one[0] is not None) == with_image]
            tokens = self._outline.image_tokens
            lengths = [tokens * with_image + len(batch[n][1]) for n in kind]
            most = self.batch_size * (tokens + _WORDS)
            for chunk in chunks(lengths, items=self.batch_size, tokens=most):
                places = [kind[n] for n in chunk]
                vectors[places] = self._run([batch[n] for n in places])
        return vectors

    def _run(self, batch: Sequence[tuple[Pixels | None, Sequence[int]]]) -> Matrix:
        images = [pixels for pixels, _ in batch if pixels is not None]
        texts = [ids for _, ids in batch]
        try:
            with self._turn:
                tokens = self._vision.infer([np.stack(images)])[0] if images else None
                vectors: Matrix = self._reader.infer(sequence(self._outline, tokens, texts))[0]
        except (RuntimeError, MemoryError) as error:
            raise EncoderError(
                f"OpenVINO failed on a batch of {len(batch)} ({_first_line(error)}): "
                "use a smaller one (--batch-size)."
            ) from error
        return vectors


class _Loading:
    """Takes from the cache what is there, and reads the checkpoint only for what is not."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._stamp = source.stamp()
        self._checkpoint: Checkpoint | None = None
        known = recall(self._stamp)
        self.outline = known or self._outline()
        self._home = home(self.outline.fingerprint)

    @property
    def tokenizer(self) -> TextTokenizer:
        if self._checkpoint is not None:
            return self._checkpoint.tokenizer
        return TextTokenizer.load(self._source.text)

    def float(self) -> Graphs:
        """In fp32: bf16 is a matter of how they are compiled."""
        kept = read_graphs(self._home / "fp32")
        if kept is not None:
            return kept
        from ocelot.encoders.openvino.conversion import convert

        log.info("Converting %s for OpenVINO, once.", self.outline.name)
        graphs = convert(self._read())
        write_graphs(self._home / "fp32", graphs)
        return graphs

    def int8(self, calibration: Calibration | None) -> Graphs:
        """From the cache, or calibrated now where that one does not do."""
        folder = latest(self._home)
        kept = None if folder is None else read_graphs(folder)
        if calibration is None:
            if kept is None:
                raise ConfigurationError(
                    f"{self.outline.name} was never calibrated for int8 here: index with "
                    "--backend openvino --precision int8 first, or name pictures like those that "
                    "are searched (--calibration DIR, in Python calibration=DIR)."
                )
            return kept
        if kept is not None and not calibration.chosen and kept.pictures >= SAMPLE:
            return kept
        data, pixels = _read_all(sample(calibration.pictures()), self.outline.image_size)
        name = signature(data)
        if kept is not None and (
            kept.calibration == name or (not calibration.chosen and len(data) <= kept.pictures)
        ):
            return kept
        if not data:
            raise ConfigurationError(
                f"There is no picture to calibrate {self.outline.name} for int8 on: name a folder "
                "with pictures (--calibration DIR), or use another --precision."
            )
        folder = self._home / f"int8-{name[:16]}"
        known = read_graphs(folder)
        if known is not None:
            make_latest(folder)
            return known
        log.info("Calibrating %s for int8 on %d pictures, once.", self.outline.name, len(data))
        tokenizer, longest = self.tokenizer, self.outline.longest_caption
        texts = [tokenizer.empty, *(tokenizer(text, longest) for text in TEXTS)]
        graphs = quantise(self.float(), self.outline, pixels, texts, name)
        write_graphs(folder, graphs)
        return graphs

    def _read(self) -> Checkpoint:
        if self._checkpoint is None:
            from ocelot.encoders.weights import read

            self._checkpoint = read(self._source)
        return self._checkpoint

    def _outline(self) -> ModelSpec:
        from ocelot.encoders.openvino.conversion import outline_of

        outline = outline_of(self._read())
        remember(self._stamp, outline)
        return outline


def _read_all(pictures: Sequence[Path], size: int) -> tuple[list[bytes], list[Pixels]]:
    """The bytes of those that can be decoded, and what the network looks at of them."""
    data, pixels = [], []
    for picture in pictures:
        try:
            one = ImageFile.of(picture)
            pixels.append(to_pixels(one.rgb(), size))
        except ImageError:
            continue  # indexing will name it
        data.append(one.data)
    return data, pixels


def _precision(wanted: str) -> str:
    if wanted == "auto":
        return _best_float()
    if wanted not in ("fp32", "bf16", "int8"):
        raise ConfigurationError(
            f"The backend openvino computes in fp32, bf16 or int8, was: {wanted!r}."
        )
    if wanted == "bf16" and _best_float() != "bf16":
        raise ConfigurationError("This processor does not compute in bf16: use fp32 or int8.")
    return wanted


def _best_float() -> str:
    able = openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if "BF16" in able else "fp32"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()[:200]
