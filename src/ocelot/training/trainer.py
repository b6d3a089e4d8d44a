"""The state of a training run, and one step of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ocelot.errors import ConfigurationError
from ocelot.model.visualized_bge import Network
from ocelot.training.batch import Batch, embed, parts
from ocelot.training.config import TrainConfig
from ocelot.training.distributed import ProcessGroup
from ocelot.training.loss import accepts, contrastive_loss
from ocelot.training.optimiser import moving_average, new_optimiser, schedule

__all__ = ["Trainer"]

_MAX_SCALE = 100.0  # 1 / temperature


class Trainer:
    """Everything that changes from step to step: network, average, optimiser, memory.

    Args:
        folder: Where the state is kept.
        network: Moved to the group's device.
        start: Fingerprint of the initial weights and the data.
    """

    def __init__(
        self, config: TrainConfig, folder: Path, network: Network, start: str, group: ProcessGroup
    ) -> None:
        self.config, self.folder, self.group = config, folder, group
        self.identity = repr((config, start, group.size))
        options, device = config.optimiser, group.device
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.log_scale = nn.Parameter(torch.tensor(-math.log(options.temperature), device=device))
        self.average = AveragedModel(
            self.network, avg_fn=moving_average(options.average), use_buffers=True
        )
        self.optimiser = new_optimiser(self.network, self.log_scale, options)
        # Embeddings and labels of the last pictures, which stay as negatives: weights move little
        # from one step to the next (arXiv 1912.06798).
        self.memory: Mapping[str, Tensor] = {
            "embeddings": torch.empty(0, device=device),
            "labels": torch.empty(0, dtype=torch.long, device=device),
        }
        self.step = 0

    @property
    def averaged(self) -> Network:
        """The network with the moving average of the weights: it is measured and written."""
        network = self.average.module
        assert isinstance(network, Network)
        return network

    @property
    def temperature(self) -> float:
        """Of the softmax."""
        return float((-self.log_scale.detach()).exp())

    @property
    def learning_rate(self) -> float:
        """Of the last step."""
        return float(self.optimiser.param_groups[0]["lr"])

    def advance(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Train one step; return loss and accuracy.

        The loss is computed over the embeddings of all processes and chunks as one batch. Its
        gradient at the embeddings then flows back through each chunk, which is computed again
        if there are several (GradCache, arXiv 2101.06983).
        """
        options = self.config.optimiser
        for group in self.optimiser.param_groups:
            group["lr"] = schedule(self.step, options)
        self.network.train()
        self.optimiser.zero_grad(set_to_none=True)
        pieces = list(parts(batch, options.chunk or len(batch.pixels)))
        if len(pieces) == 1:
            queries, candidates = self._embed(batch, *pieces[0])
        else:
            queries, candidates = self._embed_without_gradients(batch, pieces)
        loss, accuracy, to_queries, to_candidates = self._loss(batch, queries, candidates)
        if len(pieces) == 1:
            torch.autograd.backward([queries, candidates], [to_queries, to_candidates])
        else:
            for pictures, chosen in pieces:
                again = self._embed(batch, pictures, chosen)
                gradients = [to_queries[chosen], to_candidates[pictures]]
                torch.autograd.backward(list(again), gradients)
        self.group.sum_gradients(self.network)
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            self.log_scale.clamp_(max=math.log(_MAX_SCALE))
        self.average.update_parameters(self.network)
        self.step += 1
        return loss, accuracy

    def _embed(self, batch: Batch, pictures: slice, chosen: Tensor) -> tuple[Tensor, Tensor]:
        bf16 = self.config.optimiser.bf16
        with torch.autocast(self.group.device.type, torch.bfloat16, enabled=bf16):
            queries, candidates = embed(self.network, batch, pictures, chosen)
        return queries.float(), candidates.float()

    @torch.no_grad()
    def _embed_without_gradients(
        self, batch: Batch, pieces: list[tuple[slice, Tensor]]
    ) -> tuple[Tensor, Tensor]:
        dimension = self.network.geometry.dimension
        queries = batch.pixels.new_empty(len(batch.ids), dimension)
        candidates = batch.pixels.new_empty(len(batch.pixels), dimension)
        for pictures, chosen in pieces:
            queries[chosen], candidates[pictures] = self._embed(batch, pictures, chosen)
        return queries, candidates

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

    def remember(self, embeddings: Tensor, labels: Tensor) -> None:
        """Keep pictures as negatives of the next steps, in the place of the oldest."""
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
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "log_scale": self.log_scale.detach(),
            "memory": self.memory,
        }
        partial = self.folder / "state.part"
        torch.save(state, partial)
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
                f"{self.folder} holds a run with another configuration: "
                "choose another --output, or delete it."
            )
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.memory = state["memory"]
        with torch.no_grad():
            self.log_scale.copy_(state["log_scale"])
