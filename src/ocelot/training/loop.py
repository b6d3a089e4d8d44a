"""A training run from its configuration to the encoder it writes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import torch

from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Checkpoint, write_folder
from ocelot.model.tokenizer import TextTokenizer
from ocelot.model.visualized_bge import Network
from ocelot.training import report
from ocelot.training.batch import LONGEST
from ocelot.training.config import TrainConfig
from ocelot.training.data import Data
from ocelot.training.distributed import join
from ocelot.training.own import OwnTriplets
from ocelot.training.report import StepReport
from ocelot.training.run import Run
from ocelot.training.start import adapted_network, new_network
from ocelot.training.vocabulary import build_tokenizer
from ocelot.training.wording import every_text

__all__ = ["StepReport", "train"]

_REPORT_EVERY = 20


def train(
    config: TrainConfig,
    folder: Path,
    *,
    initial: Checkpoint | None = None,
    device: str | None = None,
    progress: Callable[[StepReport], None] = lambda report: None,
    stop_after: int | None = None,
) -> Path:
    """Run or resume a training run and write its encoder.

    Args:
        folder: Holds the prepared pictures, `metrics.csv` and its plot, the last state and, at
            the end, `encoder/`. A folder with a state in it is resumed.
        initial: Start from these weights, geometry and tokenizer instead of from nothing.
        device: "cpu", "cuda" or "mps"; by default a GPU where there is one. Processes started
            by torchrun train together.
        stop_after: End at this step, as a kill would.

    Returns:
        The encoder's folder.

    Raises:
        ConfigurationError: The folder's state belongs to another configuration, or there is
            neither a [network] section nor an initial checkpoint; the device cannot be used or
            has too little memory; opencv is missing.
        MetadataError: The file of triplets cannot be used.
    """
    if initial is None and config.network is None:
        raise ConfigurationError(
            "The run has no [network] section: add one, or start from a checkpoint (--initial)."
        )
    folder.mkdir(parents=True, exist_ok=True)
    with _device_errors(device), join(device) as team:
        torch.manual_seed(config.seed)
        data = Data(config, folder, team)
        tokenizer = _tokenizer(config, initial, data.own)
        network = _network(config, initial, tokenizer)
        if network.geometry.longest_caption < LONGEST:
            raise ConfigurationError(
                f"The network has {network.geometry.text.positions} positions, too few for "
                f"{network.geometry.vision.tokens} image tokens and a text of {LONGEST}."
            )
        data.open(network.geometry.vision.image_size, tokenizer)
        begun = [part.fingerprint for part in (initial, data.own) if part is not None]
        run = Run(config, folder, network, "".join(begun), team)
        run.resume()
        if team.first:
            report.forget_after(folder, run.step)
        _steps(run, data, progress, stop_after)
        if team.first:
            write_folder(folder / "encoder", config.name, run.averaged.cpu(), tokenizer)
        team.wait()
    return folder / "encoder"


def _steps(
    run: Run, data: Data, progress: Callable[[StepReport], None], stop_after: int | None
) -> None:
    options = run.config.optimiser
    every = options.evaluate_every
    monitor = data.monitor() if every and run.team.first else None
    last = min(options.steps, options.stop or options.steps, stop_after or options.steps)
    started, losses, hits, asked = time.monotonic(), 0.0, 0.0, 0
    reported = run.step
    while run.step < last:
        batch = data.batch(run.step)
        loss, accuracy = run.advance(batch)
        losses, hits = losses + float(loss), hits + float(accuracy)
        asked += len(batch.ids) * run.team.size
        due = bool(every) and (run.step % every == 0 or run.step == last)
        if run.team.first and (run.step % _REPORT_EVERY == 0 or due):
            steps, seconds = run.step - reported, time.monotonic() - started
            line = StepReport(
                step=run.step,
                steps=last,
                loss=round(losses / steps, 4),
                accuracy=round(hits / steps, 4),
                temperature=round(run.temperature, 5),
                learning_rate=run.learning_rate,
                rate=round(asked / seconds, 1),
                seconds_left=round((last - run.step) * seconds / steps),
                held_out=monitor.recalls(run.averaged) if monitor and due else {},
            )
            report.append(run.folder, line)
            progress(line)
            started, losses, hits, asked = time.monotonic(), 0.0, 0.0, 0
            reported = run.step
        if run.step % options.save_every == 0 or run.step == last:
            run.save()
            if run.team.first:
                report.plot(run.folder)


@contextmanager
def _device_errors(device: str | None) -> Iterator[None]:
    try:
        if device is not None:
            torch.ones(1, device=device).tolist()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = str(error).splitlines()[0][:120]
        raise ConfigurationError(
            f"The device {device!r} cannot be used here ({cause}): try cpu."
        ) from None
    try:
        yield
    except torch.OutOfMemoryError:
        raise ConfigurationError(
            "The device has no memory left for a step: set a smaller chunk in [optimiser]."
        ) from None


def _tokenizer(
    config: TrainConfig, initial: Checkpoint | None, own: OwnTriplets | None
) -> TextTokenizer:
    if initial is not None and not config.data.vocabulary:
        return initial.tokenizer
    texts = every_text(random.Random(config.seed))
    asked = [line.text for line in own.lines if line.text] if own else []
    try:
        return build_tokenizer(chain(texts, asked), config.data.vocabulary)
    except ValueError as error:
        raise ConfigurationError(f"[data] vocabulary: {error}.") from None


def _network(config: TrainConfig, initial: Checkpoint | None, tokenizer: TextTokenizer) -> Network:
    if initial is not None:
        return adapted_network(initial, tokenizer, config.data.image_size)
    assert config.network is not None
    return new_network(config.network, tokenizer.tokenizer.get_vocab_size())
