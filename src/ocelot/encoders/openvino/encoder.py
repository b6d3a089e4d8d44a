"""The Visualized BGE encoder computed by OpenVINO: fp32, bf16, or int8 calibrated on pictures."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from ocelot.encoders.base import Matrix
from ocelot.encoders.openvino.calibration import SAMPLE, decode_sample, quantise
from ocelot.encoders.openvino.graphs import (
    Graphs,
    graphs_folder,
    mapped_errors,
    newest_graphs,
    package,
    read_graphs,
    reader_inputs,
    write_graphs,
)
from ocelot.encoders.openvino.network import build_graphs
from ocelot.encoders.vista import Prepared, VistaEncoder
from ocelot.encoders.weights import load_checkpoint
from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Checkpoint
from ocelot.words import count

__all__ = ["Calibration", "OpenVINOEncoder"]

log = logging.getLogger(__name__)

_BATCH_TOKENS = 3200  # image tokens that run together
_SMALL = 50_000_000  # parameters
_MOST_STREAMS = 8
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
    (1, 320)
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        graphs: Graphs,
        precision: str,
        reduced_decoding: bool = True,
    ) -> None:
        """Compile graphs for this CPU; `EncoderError` if OpenVINO cannot."""
        super().__init__(checkpoint, reduced_decoding)
        # A small network runs once on each core, with one thread, a large one on all cores at once.
        parameters = sum(value.size for value in checkpoint.state.values())
        self._streams = min(_MOST_STREAMS, os.cpu_count() or 1) if parameters < _SMALL else 1
        # OpenVINO keeps the memory of the largest batch that it has run.
        self._largest = max(4, min(32, _BATCH_TOKENS // self.geometry.vision.tokens))
        self.batch_size = self._streams * self._largest
        self.precision = precision
        self.runtime = f"openvino {precision} {graphs.calibration[:4]}".rstrip()
        hint = precision if precision in _HINTS else _best_float()
        core = package("openvino").Core()
        options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": _HINTS[hint]}
        if self._streams > 1:
            options |= {"NUM_STREAMS": self._streams, "INFERENCE_NUM_THREADS": self._streams}
        else:
            options["PERFORMANCE_HINT"] = "LATENCY"
        failure = f"OpenVINO cannot use {self.name} on this machine"

        def compiled(graph: Any) -> Any:
            with mapped_errors(failure, "use --backend torch"):
                return core.compile_model(graph, "CPU", options)

        self._threads = ThreadPoolExecutor(max(2, self._streams), "ocelot-openvino")
        models = list(self._threads.map(compiled, (graphs.vision, graphs.reader)))
        self._requests: SimpleQueue[list[Any]] = SimpleQueue()
        for _ in range(self._streams):
            self._requests.put([model.create_infer_request() for model in models])

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
        """Load by name or from files.

        Args:
            name_or_path, text_model: See `VisualizedBGE.load`.
            precision: "fp32", "bf16" or "int8"; "auto" is bf16 where the CPU has it, else fp32.
            calibration: Pictures for int8; not needed if a calibration is in the cache.
            reduced_decoding: See `VisualizedBGE.load`.

        Raises:
            CheckpointError: Files are missing, damaged or do not fit together.
            ConfigurationError: The precision is not one of these, or int8 was never calibrated
                and there are no pictures to do so, or the extra `int8` is not installed.
            DownloadError: The hub cannot be reached.
            EncoderError: OpenVINO cannot build or compile the network.
        """
        chosen = _precision(precision)
        checkpoint = load_checkpoint(name_or_path, text_model)
        graphs = _int8(checkpoint, calibration) if chosen == "int8" else build_graphs(checkpoint)
        return cls(checkpoint, graphs, chosen, reduced_decoding)

    def _chunk_limits(self, with_image: bool, count: int) -> tuple[int, int]:
        most = min(self._largest, self.batch_size, -(-count // self._streams))
        return most, self._largest * (self.geometry.vision.tokens + _TEXT_TOKENS)

    def _run_all(self, runs: Sequence[Sequence[Prepared]]) -> Matrix:
        if len(runs) == 1:
            return self._run(runs[0])
        return np.concatenate(list(self._threads.map(self._run, runs)))

    def _run(self, batch: Sequence[Prepared]) -> Matrix:
        images = [pixels for pixels, _ in batch if pixels is not None]
        texts = [ids for _, ids in batch]
        mend = "use a smaller --batch-size" if len(batch) > 1 else "use --backend torch"
        failure = f"OpenVINO failed on {count(len(batch), 'input')}"
        vision, reader = self._requests.get()
        try:
            with mapped_errors(failure, mend):
                tokens, *parts = vision.infer([np.stack(images)]).values() if images else [None]
                reading = reader.infer(reader_inputs(self.geometry, tokens, texts))[0]
                rows = np.zeros((len(batch), self.dimension), np.float32)
                rows[:, : reading.shape[1]] = reading
                if parts:
                    rows[:, reading.shape[1] :] = parts[0]
                return rows
        finally:
            self._requests.put([vision, reader])


def _int8(checkpoint: Checkpoint, calibration: Calibration | None) -> Graphs:
    """Return the int8 graphs in use, or calibrate new ones if these do not suit."""
    folder = graphs_folder(checkpoint.fingerprint)
    in_use = newest_graphs(folder)
    if calibration is None:
        if in_use is None:
            raise ConfigurationError(
                f"{checkpoint.name} was never calibrated for int8 here: index with "
                "--precision int8 first, or name pictures like those to search "
                "(--calibration DIR, in Python calibration=DIR)."
            )
        return in_use
    # Unless the pictures were chosen, a calibration on as many others is as good.
    as_good = None if calibration.chosen else in_use
    if as_good is not None and as_good.pictures >= SAMPLE:
        return as_good
    size = checkpoint.geometry.vision.image_size
    name, pixels = decode_sample(calibration.pictures(), size)
    if as_good is not None and as_good.pictures >= len(pixels):
        return as_good
    if not pixels:
        raise ConfigurationError(
            f"There is no picture to calibrate {checkpoint.name} for int8 on: name a folder "
            "with pictures (--calibration DIR), or use another --precision."
        )
    kept = folder / f"int8-{name}"
    graphs = read_graphs(kept)
    if graphs is None:
        log.info("Calibrating %s for int8 on %d pictures, once.", checkpoint.name, len(pixels))
        graphs = quantise(build_graphs(checkpoint), checkpoint, pixels, name)
        write_graphs(kept, graphs)
    with suppress(OSError):
        os.utime(kept)  # the newest is in use
    return graphs


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
