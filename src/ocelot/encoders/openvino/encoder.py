"""The Visualized BGE encoder computed by OpenVINO: fp32, bf16, or int8 calibrated on pictures."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ocelot.encoders.base import Matrix
from ocelot.encoders.openvino.calibration import SAMPLE, decode_sample, quantise
from ocelot.encoders.openvino.graphs import (
    Graphs,
    graphs_folder,
    mapped_errors,
    package,
    read_graphs,
    read_spec,
    reader_inputs,
    write_graphs,
    write_spec,
)
from ocelot.encoders.vista import Prepared, VistaEncoder
from ocelot.encoders.weights import EncoderFiles, locate
from ocelot.errors import ConfigurationError
from ocelot.model.geometry import ModelSpec
from ocelot.model.knowledge import read_words
from ocelot.model.tokenizer import TextTokenizer
from ocelot.score_calibration import read_score_calibration
from ocelot.words import count

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
        """Compile graphs for this CPU; `EncoderError` if OpenVINO cannot."""
        super().__init__(spec, tokenizer, reduced_decoding)
        # Enough for all cores; OpenVINO keeps the memory of the largest batch that it has run.
        self.batch_size = max(4, min(32, _BATCH_TOKENS // spec.geometry.vision.tokens))
        self.precision = precision
        self.runtime = f"openvino {precision} {graphs.calibration[:4]}".rstrip()
        self._lock = threading.Lock()  # one request uses all cores: two at once gain nothing
        hint = precision if precision in _HINTS else _best_float()
        core = package("openvino").Core()
        options = {"INFERENCE_PRECISION_HINT": _HINTS[hint], "PERFORMANCE_HINT": "LATENCY"}
        failure = f"OpenVINO cannot use {self.name} on this machine"
        with mapped_errors(failure, "use --backend torch"):
            self._vision, self._reader = (
                core.compile_model(graph, "CPU", options).create_infer_request()
                for graph in (graphs.vision, graphs.reader)
            )

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
        return self.batch_size, self.batch_size * (self.geometry.vision.tokens + _TEXT_TOKENS)

    def _run(self, batch: Sequence[Prepared]) -> Matrix:
        images = [pixels for pixels, _ in batch if pixels is not None]
        texts = [ids for _, ids in batch]
        mend = "use a smaller --batch-size" if len(batch) > 1 else "use --backend torch"
        failure = f"OpenVINO failed on {count(len(batch), 'input')}"
        with self._lock, mapped_errors(failure, mend):
            tokens = self._vision.infer([np.stack(images)])[0] if images else None
            return self._reader.infer(reader_inputs(self.geometry, tokens, texts))[0]


class _Loader:
    """Loads an encoder's parts from the cache, and reads the checkpoint only if one is missing."""

    def __init__(self, files: EncoderFiles) -> None:
        self._files = files
        stamp = files.stamp()
        spec = read_spec(stamp)
        if spec is None:
            spec = self.checkpoint
            write_spec(stamp, spec)
        elif files.weights.suffix == ".safetensors":  # the cache has neither words nor scores
            calibration = read_score_calibration(files.text)
            spec = replace(spec, words=read_words(files.text), score_calibration=calibration)
        self.spec: ModelSpec = spec
        self._folder = graphs_folder(self.spec.fingerprint)

    @cached_property
    def checkpoint(self) -> Checkpoint:
        return self._files.read()

    @cached_property
    def tokenizer(self) -> TextTokenizer:
        return TextTokenizer.load(self._files.text)

    def fp32(self) -> Graphs:
        """Return the graphs for fp32 and bf16, which differ only in how they are compiled."""
        folder = self._folder / "fp32"
        graphs = read_graphs(folder)
        if graphs is None:
            from ocelot.encoders.openvino.conversion import convert

            log.info("Converting %s for OpenVINO, once.", self.spec.name)
            graphs = convert(self.checkpoint)
            write_graphs(folder, graphs)
        return graphs

    def int8(self, calibration: Calibration | None) -> Graphs:
        """Return the int8 graphs in use, or calibrate new ones if these do not suit."""
        in_use = self._int8_in_use()
        if calibration is None:
            if in_use is None:
                raise ConfigurationError(
                    f"{self.spec.name} was never calibrated for int8 here: index with "
                    "--backend openvino --precision int8 first, or name pictures like those to "
                    "search (--calibration DIR, in Python calibration=DIR)."
                )
            return in_use
        # Unless the pictures were chosen, a calibration on as many others is as good.
        as_good = None if calibration.chosen else in_use
        if as_good is not None and as_good.pictures >= SAMPLE:
            return as_good
        image_size = self.spec.geometry.vision.image_size
        name, pixels = decode_sample(calibration.pictures(), image_size)
        if as_good is not None and as_good.pictures >= len(pixels):
            return as_good
        if not pixels:
            raise ConfigurationError(
                f"There is no picture to calibrate {self.spec.name} for int8 on: name a folder "
                "with pictures (--calibration DIR), or use another --precision."
            )
        folder = self._folder / f"int8-{name}"
        graphs = read_graphs(folder)
        if graphs is None:
            log.info("Calibrating %s for int8 on %d pictures, once.", self.spec.name, len(pixels))
            graphs = quantise(self.fp32(), self.spec, self.tokenizer, pixels, name)
            write_graphs(folder, graphs)
        with suppress(OSError):
            os.utime(folder)  # the newest is in use
        return graphs

    def _int8_in_use(self) -> Graphs | None:
        try:
            folders = self._folder.glob("int8-*")
            return read_graphs(max(folders, key=lambda folder: folder.stat().st_mtime_ns))
        except (OSError, ValueError):  # there is none, or another process replaces it
            return None


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
    capabilities = package("openvino").Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if "BF16" in capabilities else "fp32"
