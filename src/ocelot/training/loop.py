"""The training loop: steps, moving average, schedule, resume."""

from __future__ import annotations

import copy
import csv
import math
import pickle
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Checkpoint, build, write_folder
from ocelot.model.convolution import ConvolutionConfig
from ocelot.model.preprocess import normalise
from ocelot.model.text import TextConfig
from ocelot.model.tokenizer import TextTokenizer
from ocelot.model.visualized_bge import Geometry, Network
from ocelot.training.batch import Batch, draw, embed
from ocelot.training.config import NetworkConfig, TrainConfig
from ocelot.training.loss import contrastive_loss
from ocelot.training.monitor import Monitor
from ocelot.training.optimiser import moving_average, new_optimiser, schedule
from ocelot.training.pictures import PicturePool
from ocelot.training.vocabulary import train_tokenizer
from ocelot.training.wording import every_text

__all__ = ["StepReport", "new_network", "train"]

_WARMEST = 100.0


@dataclass(frozen=True)
class StepReport:
    """One line of `metrics.csv`.

    Attributes:
        accuracy: Share of the batch's queries whose own target came first.
        temperature: Of the softmax.
        rate: Triplets per second since the last report.
        held_out: R@1 on combinations kept from training, where it was measured at this step.
    """

    step: int
    steps: int
    loss: float
    accuracy: float
    temperature: float
    learning_rate: float
    rate: float
    held_out: float | None = None


def new_network(config: NetworkConfig, vocabulary: int) -> Network:
    """A fresh network of a geometry, from the current torch seed."""
    text = TextConfig(
        vocabulary=vocabulary,
        width=config.width,
        hidden=config.hidden,
        layers=config.layers,
        heads=config.heads,
        positions=config.positions,
        token_types=1,
        first_position=0,
        pad_id=0,
        eps=1e-12,
    )
    vision = ConvolutionConfig(config.image_size, config.vision_widths, config.vision_depths)
    network = Network(Geometry(vision, text))
    for module in network.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
    return network


def train(
    config: TrainConfig,
    folder: Path,
    *,
    initial: Checkpoint | None = None,
    progress: Callable[[StepReport], None] = lambda report: None,
    stop_after: int | None = None,
) -> Path:
    """Run or resume a training run on the CPU and write its encoder.

    Args:
        folder: Holds the drawn pictures, `metrics.csv`, the last state and, at the end,
            `encoder/`. A folder with a state in it is resumed.
        initial: Start from these weights, geometry and tokenizer instead of from nothing.
        stop_after: End at this step, as a kill would.

    Returns:
        The encoder's folder.

    Raises:
        ConfigurationError: The folder's state belongs to another configuration, or there is
            neither a [network] section nor an initial checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    if initial is None and config.network is None:
        raise ConfigurationError(
            "The run has no [network] section: add one, or start from a checkpoint (--initial)."
        )
    tokenizer = _tokenizer(config, folder) if initial is None else initial.tokenizer
    network = _network(config, initial, tokenizer)
    pool = PicturePool(
        folder / "pictures.npy",
        size=network.geometry.vision.image_size,
        views=config.data.views,
        theme_views=config.data.theme_views,
        seed=config.seed,
    )
    run = _Run(config, folder, network, "" if initial is None else initial.fingerprint)
    run.resume()
    every = config.optimiser.evaluate_every
    monitor = Monitor(network, tokenizer) if every else None
    last = min(config.optimiser.steps, stop_after or config.optimiser.steps)
    started, reported = time.monotonic(), run.step
    while run.step < last:
        batch = draw(
            config.seed, run.step, config.optimiser.batch, pool, tokenizer,
            config.data.augmentation,
        )  # fmt: skip
        loss, accuracy = run.advance(batch)
        due = monitor is not None and (run.step % every == 0 or run.step == last)
        if run.step % 20 == 0 or due:
            now = time.monotonic()
            rate = (run.step - reported) * config.optimiser.batch / (now - started)
            held_out = monitor.recall(run.averaged) if monitor and due else None
            report = run.report(loss, accuracy, rate, held_out)
            progress(report)
            started, reported = time.monotonic(), run.step
        if run.step % config.optimiser.save_every == 0 or run.step == last:
            run.save()
    return write_folder(folder / "encoder", config.name, run.averaged, tokenizer)


def _tokenizer(config: TrainConfig, folder: Path) -> TextTokenizer:
    # Kept from the first start on: training one again breaks ties in another order.
    file = folder / "tokenizer.json"
    if not file.is_file():
        texts = every_text(random.Random(config.seed))
        train_tokenizer(texts, config.data.vocabulary, config.seed).tokenizer.save(str(file))
    return TextTokenizer.load(folder)


def _network(config: TrainConfig, initial: Checkpoint | None, tokenizer: TextTokenizer) -> Network:
    if initial is not None:
        return copy.deepcopy(build(initial))  # not the caller's own tensors
    assert config.network is not None
    return new_network(config.network, tokenizer.tokenizer.get_vocab_size())


class _Run:
    """Everything that changes from step to step."""

    def __init__(self, config: TrainConfig, folder: Path, network: Network, start: str) -> None:
        self.config, self.folder = config, folder
        self.identity = repr((config, start))
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.average = AveragedModel(
            self.network, avg_fn=moving_average(config.optimiser.average), use_buffers=True
        )
        self.optimiser = new_optimiser(self.network, self.log_scale, config.optimiser)
        self.step = 0

    @property
    def averaged(self) -> Network:
        """The network with the moving average of the weights: what is measured and shipped."""
        network = self.average.module
        assert isinstance(network, Network)
        return network

    def advance(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """One step; returns loss and accuracy."""
        options = self.config.optimiser
        rate = schedule(self.step, options)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["pace"]
        self.network.train()
        pixels = normalise(batch.pixels, torch.device("cpu"))
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16):
            queries, candidates = embed(self.network, pixels, batch)
        loss, accuracy = contrastive_loss(
            queries.float(), candidates.float(), batch.ignore, self.log_scale.exp()
        )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            self.log_scale.clamp_(max=math.log(_WARMEST))
        self.average.update_parameters(self.network)
        self.step += 1
        return loss.detach(), accuracy

    def report(
        self, loss: Tensor, accuracy: Tensor, rate: float, held_out: float | None
    ) -> StepReport:
        """Write one line of metrics and return it."""
        report = StepReport(
            step=self.step,
            steps=self.config.optimiser.steps,
            loss=round(float(loss), 4),
            accuracy=round(float(accuracy), 4),
            temperature=round(float((-self.log_scale.detach()).exp()), 5),
            learning_rate=self.optimiser.param_groups[0]["lr"],
            rate=round(rate, 1),
            held_out=None if held_out is None else round(held_out, 4),
        )
        file = self.folder / "metrics.csv"
        new = not file.is_file()
        with open(file, "a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(vars(report)))
            if new:
                writer.writeheader()
            writer.writerow(vars(report))
        return report

    def save(self) -> None:
        """Write the whole state so that a kill at any moment leaves a complete one."""
        state = {
            "run": self.identity,
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "log_scale": self.log_scale.detach(),
        }
        partial = self.folder / "state.part"
        torch.save(state, partial)
        partial.replace(self.folder / "state.pt")

    def resume(self) -> None:
        """Continue from the folder's state, if it has one."""
        file = self.folder / "state.pt"
        if not file.is_file():
            return
        try:
            state = torch.load(file, map_location="cpu", weights_only=True)
        except (RuntimeError, pickle.UnpicklingError, EOFError, OSError):
            raise ConfigurationError(f"{file} is damaged: delete it to start again.") from None
        if state["run"] != self.identity:
            raise ConfigurationError(
                f"{self.folder} holds a run with another configuration: "
                "choose another --output, or delete it."
            )
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        with torch.no_grad():
            self.log_scale.copy_(state["log_scale"])
        self._forget_later_metrics()

    def _forget_later_metrics(self) -> None:
        # Steps after the last saved state are run again, and reported again.
        file = self.folder / "metrics.csv"
        if file.is_file():
            head, *rows = file.read_text(encoding="utf-8").splitlines()
            kept = [row for row in rows if int(row.split(",")[0]) <= self.step]
            file.write_text("\n".join([head, *kept, ""]), encoding="utf-8")
