"""The state of a training run, and one step of it."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ocelot.errors import ConfigurationError
from ocelot.model.visualized_bge import Network
from ocelot.training.batch import Batch, embed, embed_in_parts, parts
from ocelot.training.config import OptimiserConfig, TrainConfig
from ocelot.training.distributed import ProcessGroup
from ocelot.training.loss import accepts, contrastive_loss

__all__ = ["Trainer", "schedule"]

_MAX_SCALE = 100.0  # 1 / temperature


def schedule(step: int, options: OptimiserConfig, spent: float = 0.0) -> float:
    """Learning rate at a step: linear warm-up, then half a cosine down to the final share.

    Args:
        spent: Share of the time that is over, where time is limited.
    """
    if step < options.warmup:
        return options.learning_rate * (step + 1) / options.warmup
    done = max(spent, (step - options.warmup) / max(1, options.steps - options.warmup))
    left = options.final + (1 - options.final) * 0.5 * (1 + math.cos(math.pi * done))
    return options.learning_rate * left


def _groups(network: Network, options: OptimiserConfig) -> list[dict[str, Any]]:
    """Parameters that are trained, by their share of the learning rate and their weight decay."""
    groups = []
    for tower in (True, False):
        for matrices in (True, False):
            chosen = [
                parameter
                for name, parameter in network.named_parameters()
                if parameter.requires_grad
                and name.startswith("vision.") == tower
                and (parameter.ndim > 1) == matrices
            ]
            share = options.vision_share if tower else 1.0
            decay = options.weight_decay if matrices else 0.0
            groups.append({"params": chosen, "weight_decay": decay, "share": share})
    return groups


class Trainer:
    """Everything that changes from step to step: network, average, optimiser, memory.

    Its state is kept in `folder`; `start` is the fingerprint of the initial weights and the data.

    Attributes:
        averaged: The network with the moving average of the weights: it is measured and written.
        memory: Embeddings and labels of the last pictures, which stay as negatives.
        step: Number of steps done.
        seconds: Time that the steps have taken, measurements included.
        best: The highest mean of the held-out searches so far.
    """

    def __init__(
        self, config: TrainConfig, folder: Path, network: Network, start: str, group: ProcessGroup
    ) -> None:
        self.config, self.folder, self.group = config, folder, group
        self.identity = repr((config, start, group.size))
        options, device = config.optimiser, group.device
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.network)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(options.temperature), device=device))
        self.optimiser = torch.optim.AdamW(
            [*_groups(self.network, options), {"params": [self.log_scale], "weight_decay": 0.0}],
            betas=(0.9, 0.98),
        )
        self.memory: Mapping[str, Tensor] = {
            "embeddings": torch.empty(0, device=device),
            "labels": torch.empty(0, dtype=torch.long, device=device),
        }
        self.step = 0
        self.seconds = self.best = 0.0

    @property
    def spent(self) -> float:
        """Share of the time that is over, 0 to 1; 0 without a limit."""
        minutes = self.config.optimiser.minutes
        return min(1.0, self.seconds / 60 / minutes) if minutes else 0.0

    @property
    def temperature(self) -> float:
        """Temperature of the softmax."""
        return float((-self.log_scale.detach()).exp())

    @property
    def learning_rate(self) -> float:
        """Learning rate of the last step."""
        return float(self.optimiser.param_groups[-1]["lr"])

    def advance(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Train one step; return loss and accuracy.

        The loss is computed over the embeddings of all processes and chunks as one batch. Its
        gradient at the embeddings then flows back through each chunk, which is computed again
        if there are several (GradCache, arXiv 2101.06983).
        """
        options = self.config.optimiser
        for group in self.optimiser.param_groups:
            group["lr"] = group.get("share", 1.0) * schedule(self.step, options, self.spent)
        self.network.train()
        self.optimiser.zero_grad(set_to_none=True)
        autocast = torch.autocast(self.group.device.type, torch.bfloat16, enabled=options.bf16)
        pieces = list(parts(batch, options.chunk or len(batch.pixels)))
        with autocast:
            if len(pieces) == 1:
                queries, candidates = embed(self.network, batch)
            else:
                queries, candidates = embed_in_parts(self.network, batch, options.chunk)
        loss, accuracy, to_queries, to_candidates = self._loss(batch, queries, candidates)
        for pictures, chosen in pieces:
            if len(pieces) > 1:
                with autocast:
                    queries, candidates = embed(self.network, batch, pictures, chosen)
            gradients = [to_queries[chosen], to_candidates[pictures]]
            torch.autograd.backward([queries, candidates], gradients)
        self.group.sum_gradients(self.network)
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            self.log_scale.clamp_(max=math.log(_MAX_SCALE))
            self._update_average()
        self.step += 1
        return loss, accuracy

    def _loss(
        self, batch: Batch, queries: Tensor, candidates: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Loss and accuracy over all processes, and the gradients at this one's embeddings."""
        all_queries, my_queries = self.group.gather(queries)
        all_candidates, my_pictures = self.group.gather(candidates)
        labels, _ = self.group.gather(batch.labels)
        wanted, _ = self.group.gather(batch.wanted)
        targets, _ = self.group.gather(batch.targets + my_pictures.start)
        all_queries.requires_grad_()
        all_candidates.requires_grad_()
        loss, accuracy = contrastive_loss(
            all_queries,
            torch.cat([all_candidates, self.memory["embeddings"]]),
            targets,
            accepts(wanted, torch.cat([labels, self.memory["labels"]])),
            self.log_scale.exp(),
        )
        loss.backward()  # type: ignore[no-untyped-call]
        to_queries, to_candidates = all_queries.grad, all_candidates.grad
        assert to_queries is not None and to_candidates is not None
        self.remember(all_candidates.detach(), labels)
        return loss.detach(), accuracy, to_queries[my_queries], to_candidates[my_pictures]

    def _update_average(self) -> None:
        """Mix the new weights into the average, which forgets faster during the first steps."""
        decay = self.config.optimiser.average
        keep = min(decay, (1 + self.step) / (10 + self.step)) if self.step else 0.0
        weights = self.network.state_dict()
        for name, average in self.averaged.state_dict().items():
            if average.is_floating_point():
                average.lerp_(weights[name], 1 - keep)
            else:  # a counter of the batch norms
                average.copy_(weights[name])

    def remember(self, embeddings: Tensor, labels: Tensor) -> None:
        """Keep pictures as negatives of the next steps; the oldest are dropped."""
        if capacity := self.config.optimiser.memory:
            fresh = {"embeddings": embeddings, "labels": labels}
            self.memory = {
                name: torch.cat([kept, fresh[name]])[-capacity:]
                for name, kept in self.memory.items()
            }

    def save(self) -> None:
        """Write the whole state; a kill at any moment leaves a complete file."""
        if not self.group.is_main:
            return
        state = {
            "run": self.identity,
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "log_scale": self.log_scale.detach(),
            "memory": self.memory,
        }
        # Not `atomic_path`: what a kill leaves, perhaps gigabytes, is overwritten by the next save.
        # Opened here, so that a full disk is an OSError.
        partial = self.folder / "state.part"
        with open(partial, "wb") as stream:
            torch.save(state, stream)
        partial.replace(self.folder / "state.pt")

    def resume(self) -> None:
        """Continue from the state in the folder, if there is one.

        Raises:
            ConfigurationError: It is damaged, or belongs to another configuration.
        """
        file = self.folder / "state.pt"
        if not file.is_file():
            return
        try:
            state = torch.load(file, map_location=self.group.device, weights_only=True)
        except Exception:  # torch raises many types on a damaged file
            state = None
        if not isinstance(state, dict) or "run" not in state:
            raise ConfigurationError(f"{file} is damaged: delete it to start again.")
        if state["run"] != self.identity:
            raise ConfigurationError(
                f"{self.folder} holds a run with another configuration, other triplets or another "
                "number of processes: choose another --output, or delete it."
            )
        self.step, self.memory = state["step"], state["memory"]
        self.seconds, self.best = state.get("seconds", 0.0), state.get("best", 0.0)
        for name in ("network", "averaged", "optimiser"):
            getattr(self, name).load_state_dict(state[name])
        with torch.no_grad():
            self.log_scale.copy_(state["log_scale"])
