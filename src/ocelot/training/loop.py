"""A training run from its configuration to the encoder that it writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

import torch

from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Checkpoint, write_folder
from ocelot.model.knowledge import write_words
from ocelot.model.visualized_bge import Network
from ocelot.training import report
from ocelot.training.batch import Batch, BatchSource, embed_in_parts
from ocelot.training.config import TrainConfig
from ocelot.training.distributed import process_group
from ocelot.training.loss import accepts
from ocelot.training.report import StepReport
from ocelot.training.start import starting_point
from ocelot.training.trainer import Trainer

__all__ = ["recall", "train"]

_REPORT_EVERY = 20  # steps
_RECALL_CHUNK = 128  # pictures


def train(
    config: TrainConfig,
    source: BatchSource,
    folder: Path,
    *,
    initial: Checkpoint | None = None,
    device: str | None = None,
    progress: Callable[[StepReport], None] = lambda report: None,
) -> Path:
    """Run or resume a training run and write its encoder.

    Args:
        source: The batches: a `TripletSource`, or a source of your own.
        folder: Holds `metrics.csv` and its plot, the last state and, at the end, `encoder/`. A
            folder with a state in it is resumed.
        initial: Start from these weights, geometry and tokenizer instead of from nothing.
        device: "cpu", "cuda" or "mps"; by default a GPU if there is one. Processes that
            torchrun has started train together.
        progress: Called with each line of `metrics.csv`, in the first process.

    Returns:
        The encoder's folder.

    Raises:
        ConfigurationError: The folder's state belongs to another configuration, or there is
            neither a [network] section nor an initial checkpoint; the device cannot be used or
            has too little memory.
        OSError: The folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _device_errors(device), process_group(device) as group:
        torch.manual_seed(config.seed)
        network, tokenizer = starting_point(config, initial, source)
        source.open(network.geometry.vision.image_size, tokenizer, group)
        start = (initial.fingerprint if initial else "") + source.fingerprint
        trainer = Trainer(config, folder, network, start, group)
        trainer.resume()
        if group.is_main:
            report.forget_after(folder, trainer.step)

        def write() -> None:
            write_folder(folder / "encoder", config.name, trainer.averaged, tokenizer)
            if initial is None or initial.words:  # else it has seen more than anybody knows
                write_words(folder / "encoder", source.texts(), initial.words if initial else ())

        keeps_best = config.optimiser.keep_best
        _run(trainer, source, progress, write if keeps_best else lambda: None)
        if group.is_main and not (keeps_best and trainer.best):
            write()
        group.barrier()
    return folder / "encoder"


def _run(
    trainer: Trainer,
    source: BatchSource,
    progress: Callable[[StepReport], None],
    keep: Callable[[], None],
) -> None:
    """Train until the last step; report, save, and `keep` the best state on the way."""
    options, group = trainer.config.optimiser, trainer.group
    every = options.evaluate_every
    searches = source.held_out() if every and group.is_main else {}
    last = min(options.steps, options.stop or options.steps)
    began = time.monotonic() - trainer.seconds
    started, queries = time.monotonic(), 0
    results: list[tuple[float, float]] = []  # loss and accuracy of each step since the last report
    while trainer.step < last and trainer.spent < 1:
        batch = source.batch(trainer.step, group.rank)
        loss, accuracy = trainer.advance(batch)
        results.append((float(loss), float(accuracy)))
        queries += len(batch.ids) * group.size
        step = trainer.step
        trainer.seconds = time.monotonic() - began
        if options.minutes:  # all processes end at the same step
            trainer.seconds = group.agree(trainer.seconds)
        ends = step == last or trainer.spent == 1
        measure = every > 0 and (step % every == 0 or ends)
        if group.is_main and (step % _REPORT_EVERY == 0 or measure):
            steps, seconds = len(results), time.monotonic() - started
            losses, accuracies = zip(*results, strict=True)
            left = (last - step) * seconds / steps
            if options.minutes:
                left = min(left, max(0.0, 60 * options.minutes - trainer.seconds))
            line = StepReport(
                step=step,
                steps=step + round(left * steps / seconds) if options.minutes else last,
                loss=round(sum(losses) / steps, 4),
                accuracy=round(sum(accuracies) / steps, 4),
                temperature=round(trainer.temperature, 5),
                learning_rate=trainer.learning_rate,
                rate=round(queries / seconds, 1),
                seconds_left=round(left),
                minutes=round(trainer.seconds / 60, 3),
                held_out={
                    name: round(recall(trainer.averaged, search), 4)
                    for name, search in searches.items()
                    if measure
                },
            )
            report.append(trainer.folder, line)
            progress(line)
            if line.held_out and (mean := fmean(line.held_out.values())) > trainer.best:
                trainer.best = mean
                keep()
            started, queries = time.monotonic(), 0
            results.clear()
        if step % options.save_every == 0 or ends:
            trainer.save()
            if group.is_main:
                report.plot(trainer.folder)


@torch.inference_mode()
def recall(network: Network, batch: Batch) -> float:
    """R@1 of a search: how often the first picture, other than the reference, answers a query."""
    network.eval()
    batch = batch.to(next(network.parameters()).device)
    queries, candidates = embed_in_parts(network, batch, _RECALL_CHUNK)
    scores = queries @ candidates.T
    (rows,) = torch.where(batch.references >= 0)
    scores[rows, batch.references[rows]] = float("-inf")
    found = accepts(batch.wanted, batch.labels).gather(1, scores.argmax(dim=1, keepdim=True))
    return float(found.float().mean())


@contextmanager
def _device_errors(device: str | None) -> Iterator[None]:
    """Turn a device that cannot be used, or is too small, into a `ConfigurationError`."""
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
