"""The Visualized BGE encoder computed by OpenVINO: fp32, bf16, or int8 calibrated on pictures."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ocelot.encoders.base import Matrix
from ocelot.encoders.openvino import cache
from ocelot.encoders.openvino.calibration import SAMPLE, TEXTS, quantise, sample, signature
from ocelot.encoders.openvino.graphs import Graphs, openvino, reader_inputs, short_cause
from ocelot.encoders.vista import Prepared, VistaEncoder
from ocelot.encoders.weights import EncoderFiles, locate
from ocelot.errors import ConfigurationError, EncoderError, ImageError
from ocelot.images.file import ImageFile
from ocelot.model.geometry import ModelSpec
from ocelot.model.preprocess import Pixels, to_pixels
from ocelot.model.tokenizer import TextTokenizer

if TYPE_CHECKING:
    from ocelot.model.checkpoint import Checkpoint

__all__ = ["Calibration", "OpenVINOEncoder"]

log = logging.getLogger(__name__)

_BATCH_TOKENS = 3200  # image tokens of a batch
_TEXT_TOKENS = 32  # of a text that is not long
_HINTS = {"fp32": "f32", "bf16": "bf16"}


@dataclass(frozen=True)
class Calibration:
    """Pictures to calibrate int8 on.

    Attributes:
        pictures: Returns them; called only if they are needed, and they are sampled then.
        chosen: Whether the user chose exactly these pictures. Otherwise a calibration in the
            cache will do if it saw at least as many.
    """

    pictures: Callable[[], Sequence[Path]]
    chosen: bool = False


class OpenVINOEncoder(VistaEncoder):
    """Visualized BGE as OpenVINO graphs, on the CPU.

    Its vectors can be compared with those of `VisualizedBGE` for the same checkpoint: both have
    the same fingerprint and differ in `runtime`.

    >>> encoder = OpenVINOEncoder.load("ocelot-tiny")
    >>> encoder.encode([(None, "a blue kettle")]).shape
    (1, 256)
    """

    def __init__(
        self,
        spec: ModelSpec,
        tokenizer: TextTokenizer,
        graphs: Graphs,
        precision: str,
        reduced_decoding: bool = True,
    ) -> None:
        """Compile graphs for this CPU.

        Raises:
            EncoderError: OpenVINO cannot compile them.
        """
        super().__init__(spec, tokenizer, reduced_decoding)
        # Enough for all cores; OpenVINO keeps the memory of the largest batch that it has run.
        self.batch_size = max(4, min(32, _BATCH_TOKENS // spec.geometry.vision.tokens))
        self.precision = precision
        self.runtime = f"openvino {precision} {graphs.calibration[:4]}".rstrip()
        self._lock = threading.Lock()  # one request uses all cores: two at once gain nothing
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
                f"OpenVINO cannot use {self.name} on this machine ({short_cause(error)}): "
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
            name_or_path, text_model: See `VisualizedBGE.load`.
            precision: "fp32", "bf16" or "int8"; "auto" is bf16 where the CPU has it, else fp32.
            calibration: Pictures for int8; not needed if a calibration is in the cache.
            reduced_decoding: See `VisualizedBGE.load`.

        Raises:
            CheckpointError: Files are missing, damaged or do not fit together.
            ConfigurationError: OpenVINO is not installed, the precision is not one of these, or
                int8 was never calibrated and there are no pictures to do so.
            DownloadError: The hub cannot be reached.
            EncoderError: OpenVINO cannot convert or compile the network.
        """
        chosen = _precision(precision)
        loader = _Loader(locate(name_or_path, text_model))
        graphs = loader.int8(calibration) if chosen == "int8" else loader.fp32()
        return cls(loader.spec, loader.tokenizer, graphs, chosen, reduced_decoding)

    def _chunk_limits(self, with_image: bool) -> tuple[int, int]:
        tokens = self.geometry.vision.tokens + _TEXT_TOKENS
        return self.batch_size, self.batch_size * tokens

    def _run(self, batch: Sequence[Prepared]) -> Matrix:
        images = [pixels for pixels, _ in batch if pixels is not None]
        texts = [ids for _, ids in batch]
        try:
            with self._lock:
                tokens = self._vision.infer([np.stack(images)])[0] if images else None
                rows: Matrix = self._reader.infer(reader_inputs(self.geometry, tokens, texts))[0]
        except (RuntimeError, MemoryError) as error:
            raise EncoderError(
                f"OpenVINO failed on a batch of {len(batch)} ({short_cause(error)}): "
                "use a smaller one (--batch-size)."
            ) from error
        return rows


class _Loader:
    """Loads an encoder's parts from the cache, and reads the checkpoint only if one is missing."""

    def __init__(self, files: EncoderFiles) -> None:
        self._files = files
        self._checkpoint: Checkpoint | None = None
        stamp = files.stamp()
        self.spec = cache.read_spec(stamp) or self._make_spec(stamp)
        self._folder = cache.graphs_folder(self.spec.fingerprint)

    @property
    def tokenizer(self) -> TextTokenizer:
        if self._checkpoint is not None:
            return self._checkpoint.tokenizer
        return TextTokenizer.load(self._files.text)

    def fp32(self) -> Graphs:
        """Return the graphs for fp32 and bf16, which differ only in how they are compiled."""
        cached = cache.read_graphs(self._folder / "fp32")
        if cached is not None:
            return cached
        from ocelot.encoders.openvino.conversion import convert

        log.info("Converting %s for OpenVINO, once.", self.spec.name)
        graphs = convert(self._read())
        cache.write_graphs(self._folder / "fp32", graphs)
        return graphs

    def int8(self, calibration: Calibration | None) -> Graphs:
        """Return the int8 graphs in use, or calibrate new ones if these do not suit."""
        folder = cache.calibration_in_use(self._folder)
        cached = None if folder is None else cache.read_graphs(folder)
        if calibration is None:
            if cached is None:
                raise ConfigurationError(
                    f"{self.spec.name} was never calibrated for int8 here: index with "
                    "--backend openvino --precision int8 first, or name pictures like those to "
                    "search (--calibration DIR, in Python calibration=DIR)."
                )
            return cached
        if cached is not None and not calibration.chosen and cached.pictures >= SAMPLE:
            return cached
        geometry = self.spec.geometry
        pictures = sample(calibration.pictures())
        ids, pixels = _read_all(pictures, geometry.vision.image_size)
        name = signature(ids)
        if cached is not None and (
            cached.calibration == name or (not calibration.chosen and len(ids) <= cached.pictures)
        ):
            return cached
        if not ids:
            raise ConfigurationError(
                f"There is no picture to calibrate {self.spec.name} for int8 on: name a folder "
                "with pictures (--calibration DIR), or use another --precision."
            )
        folder = self._folder / f"int8-{name[:16]}"
        earlier = cache.read_graphs(folder)
        if earlier is not None:
            cache.use_calibration(folder)
            return earlier
        log.info("Calibrating %s for int8 on %d pictures, once.", self.spec.name, len(ids))
        tokenizer, longest = self.tokenizer, geometry.longest_caption
        texts = [tokenizer.empty, *(tokenizer(text, longest) for text in TEXTS)]
        graphs = quantise(self.fp32(), self.spec, pixels, texts, name)
        cache.write_graphs(folder, graphs)
        return graphs

    def _read(self) -> Checkpoint:
        if self._checkpoint is None:
            self._checkpoint = self._files.read()
        return self._checkpoint

    def _make_spec(self, stamp: str) -> ModelSpec:
        spec = self._read()
        cache.write_spec(stamp, spec)
        return spec


def _read_all(pictures: Sequence[Path], size: int) -> tuple[list[str], list[Pixels]]:
    """Return ids and pixels of the pictures that can be decoded."""
    ids, pixels = [], []
    for picture in pictures:
        try:
            one = ImageFile.of(picture)
            pixels.append(to_pixels(one.rgb(), size))
        except ImageError:
            continue  # indexing reports it
        ids.append(one.id)
    return ids, pixels


def _precision(wanted: str) -> str:
    if wanted == "auto":
        return _best_float()
    if wanted not in ("fp32", "bf16", "int8"):
        raise ConfigurationError(
            f"The backend openvino computes in fp32, bf16 or int8, was: {wanted!r}."
        )
    if wanted == "bf16" and _best_float() != "bf16":
        raise ConfigurationError("This CPU does not compute in bf16: use fp32 or int8.")
    return wanted


def _best_float() -> str:
    capabilities = openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if "BF16" in capabilities else "fp32"
