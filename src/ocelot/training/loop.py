"""A training run from its configuration to the encoder that it writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Checkpoint, write_folder
from ocelot.model.tokenizer import TextTokenizer
from ocelot.model.visualized_bge import Network
from ocelot.training import report
from ocelot.training.batch import LONGEST, Batch, BatchSource, embed, parts
from ocelot.training.config import TrainConfig
from ocelot.training.distributed import process_group
from ocelot.training.loss import accepts
from ocelot.training.report import StepReport
from ocelot.training.start import adapted_network, new_network
from ocelot.training.trainer import Trainer
from ocelot.training.vocabulary import build_tokenizer

__all__ = ["recall", "train"]

_REPORT_EVERY = 20
_RECALL_CHUNK = 128  # pictures


def train(
    config: TrainConfig,
    source: BatchSource,
    folder: Path,
    *,
    initial: Checkpoint | None = None,
    device: str | None = None,
    progress: Callable[[StepReport], None] = lambda report: None,
    stop_after: int | None = None,
) -> Path:
    """Run or resume a training run and write its encoder.

    Args:
        source: The batches: a `TripletSource`, or a source of your own.
        folder: Holds `metrics.csv` and its plot, the last state and, at the end, `encoder/`. A
            folder with a state in it is resumed.
        initial: Start from these weights, geometry and tokenizer instead of from nothing.
        device: "cpu", "cuda" or "mps"; by default a GPU if there is one. Processes that
            torchrun has started train together.
        stop_after: End at this step, as if the run was interrupted.

    Returns:
        The encoder's folder.

    Raises:
        ConfigurationError: The folder's state belongs to another configuration, or there is
            neither a [network] section nor an initial checkpoint; the device cannot be used or
            has too little memory.
    """
    if initial is None and config.network is None:
        raise ConfigurationError(
            "The run has no [network] section: add one, or start from a checkpoint (--initial)."
        )
    folder.mkdir(parents=True, exist_ok=True)
    with _device_errors(device), process_group(device) as group:
        torch.manual_seed(config.seed)
        tokenizer = _tokenizer(config, initial, source)
        network = _network(config, initial, tokenizer)
        if network.geometry.longest_caption < LONGEST:
            raise ConfigurationError(
                f"The network has {network.geometry.text.positions} positions, too few for "
                f"{network.geometry.vision.tokens} image tokens and a text of {LONGEST}."
            )
        source.open(network.geometry.vision.image_size, tokenizer, group)
        start = (initial.fingerprint if initial else "") + source.fingerprint
        trainer = Trainer(config, folder, network, start, group)
        trainer.resume()
        if group.is_main:
            report.forget_after(folder, trainer.step)
        _loop(trainer, source, progress, stop_after)
        if group.is_main:
            write_folder(folder / "encoder", config.name, trainer.averaged.cpu(), tokenizer)
        group.barrier()
    return folder / "encoder"


def _loop(
    trainer: Trainer,
    source: BatchSource,
    progress: Callable[[StepReport], None],
    stop_after: int | None,
) -> None:
    options, group = trainer.config.optimiser, trainer.group
    every = options.evaluate_every
    searches = source.held_out() if every and group.is_main else {}
    last = min(options.steps, options.stop or options.steps, stop_after or options.steps)
    started, losses, hits, queries = time.monotonic(), 0.0, 0.0, 0
    reported = trainer.step
    while trainer.step < last:
        batch = source.batch(trainer.step, group.rank)
        loss, accuracy = trainer.advance(batch)
        losses, hits = losses + float(loss), hits + float(accuracy)
        queries += len(batch.ids) * group.size
        step = trainer.step
        measure = bool(every) and (step % every == 0 or step == last)
        if group.is_main and (step % _REPORT_EVERY == 0 or measure):
            steps, seconds = step - reported, time.monotonic() - started
            line = StepReport(
                step=step,
                steps=last,
                loss=round(losses / steps, 4),
                accuracy=round(hits / steps, 4),
                temperature=round(trainer.temperature, 5),
                learning_rate=trainer.learning_rate,
                rate=round(queries / seconds, 1),
                seconds_left=round((last - step) * seconds / steps),
                held_out={
                    name: round(recall(trainer.averaged, search), 4)
                    for name, search in searches.items()
                    if measure
                },
            )
            report.append(trainer.folder, line)
            progress(line)
            started, losses, hits, queries = time.monotonic(), 0.0, 0.0, 0
            reported = step
        if step % options.save_every == 0 or step == last:
            trainer.save()
            if group.is_main:
                report.plot(trainer.folder)


@torch.inference_mode()
def recall(network: Network, batch: Batch) -> float:
    """R@1 of a search: how often the first picture, the query's reference aside, answers it."""
    network.eval()
    device = next(network.parameters()).device
    batch = batch.to(device)
    queries = torch.empty(len(batch.ids), network.geometry.dimension, device=device)
    candidates = torch.empty(len(batch.pixels), network.geometry.dimension, device=device)
    for pictures, chosen in parts(batch, _RECALL_CHUNK):
        queries[chosen], candidates[pictures] = embed(network, batch, pictures, chosen)
    scores = queries @ candidates.T
    rows = torch.arange(len(queries), device=device)
    has_image = batch.references >= 0
    scores[rows[has_image], batch.references[has_image]] = float("-inf")
    found = accepts(batch.wanted, batch.labels)[rows, scores.argmax(dim=1)]
    return float(found.float().mean())


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
    config: TrainConfig, initial: Checkpoint | None, source: BatchSource
) -> TextTokenizer:
    if initial is not None and not config.data.vocabulary:
        return initial.tokenizer
    try:
        return build_tokenizer(source.texts(), config.data.vocabulary)
    except ValueError as error:
        raise ConfigurationError(f"[data] vocabulary: {error}.") from None


def _network(config: TrainConfig, initial: Checkpoint | None, tokenizer: TextTokenizer) -> Network:
    if initial is not None:
        return adapted_network(initial, tokenizer, config.data.image_size)
    assert config.network is not None
    return new_network(config.network, tokenizer.tokenizer.get_vocab_size())
