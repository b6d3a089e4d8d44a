"""Everything that changes from step to step of a training run, and how it is kept."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ocelot.errors import ConfigurationError
from ocelot.model.visualized_bge import Network
from ocelot.training.batch import Batch, embed, parts
from ocelot.training.config import TrainConfig
from ocelot.training.distributed import Team
from ocelot.training.loss import accepts, contrastive_loss
from ocelot.training.memory import Memory
from ocelot.training.optimiser import moving_average, new_optimiser, schedule

__all__ = ["Run"]

_WARMEST = 100.0


class Run:
    """Network, its moving average, optimiser and memory, at a step.

    Args:
        folder: Where the state is kept.
        network: Moved to the team's device.
        start: Fingerprint of what the run began with.
    """

    def __init__(
        self, config: TrainConfig, folder: Path, network: Network, start: str, team: Team
    ) -> None:
        self.config, self.folder, self.team = config, folder, team
        self.identity = repr((config, start, team.size))
        self.network = network.to(team.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.log_scale = nn.Parameter(
            torch.tensor(-math.log(config.optimiser.temperature), device=team.device)
        )
        self.average = AveragedModel(
            self.network, avg_fn=moving_average(config.optimiser.average), use_buffers=True
        )
        self.optimiser = new_optimiser(self.network, self.log_scale, config.optimiser)
        self.memory = Memory(
            config.optimiser.memory, network.geometry.dimension, device=team.device
        )
        self.step = 0

    @property
    def averaged(self) -> Network:
        """The network with the moving average of the weights: what is measured and shipped."""
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
        """One step; returns loss and accuracy.

        The loss is taken over the embeddings of all processes and chunks as one batch; its
        gradient at the embeddings then flows back through each chunk, computed again where
        there are several (GradCache, arXiv 2101.06983).
        """
        options = self.config.optimiser
        rate = schedule(self.step, options)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["pace"]
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
            for pictures, asked in pieces:
                again = self._embed(batch, pictures, asked)
                gradients = [to_queries[asked], to_candidates[pictures]]
                torch.autograd.backward(list(again), gradients)
        self.team.sum_gradients(self.network)
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            self.log_scale.clamp_(max=math.log(_WARMEST))
        self.average.update_parameters(self.network)
        self.step += 1
        return loss, accuracy

    def _embed(self, batch: Batch, pictures: slice, asked: Tensor) -> tuple[Tensor, Tensor]:
        bf16 = self.config.optimiser.bf16
        with torch.autocast(self.team.device.type, torch.bfloat16, enabled=bf16):
            queries, candidates = embed(self.network, batch, pictures, asked)
        return queries.float(), candidates.float()

    @torch.no_grad()
    def _embed_without_gradients(
        self, batch: Batch, pieces: list[tuple[slice, Tensor]]
    ) -> tuple[Tensor, Tensor]:
        dimension = self.network.geometry.dimension
        queries = batch.pixels.new_empty(len(batch.ids), dimension)
        candidates = batch.pixels.new_empty(len(batch.pixels), dimension)
        for pictures, asked in pieces:
            queries[asked], candidates[pictures] = self._embed(batch, pictures, asked)
        return queries, candidates

    def _loss(
        self, batch: Batch, queries: Tensor, candidates: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Loss and accuracy over all processes, and the gradients at this one's embeddings."""
        every_query, my_queries = self.team.gather(queries)
        every_candidate, my_pictures = self.team.gather(candidates)
        traits, _ = self.team.gather(batch.traits)
        wanted, _ = self.team.gather(batch.wanted)
        targets, _ = self.team.gather(batch.targets + my_pictures.start)
        every_query.requires_grad_()
        every_candidate.requires_grad_()
        remembered, their_traits = self.memory.recall()
        loss, accuracy = contrastive_loss(
            every_query,
            torch.cat([every_candidate, remembered]),
            targets,
            accepts(wanted, torch.cat([traits, their_traits])),
            self.log_scale.exp(),
        )
        loss.backward()  # type: ignore[no-untyped-call]
        to_queries, to_candidates = every_query.grad, every_candidate.grad
        assert to_queries is not None and to_candidates is not None
        self.memory.remember(every_candidate, traits)
        return loss.detach(), accuracy, to_queries[my_queries], to_candidates[my_pictures]

    def save(self) -> None:
        """Write the whole state so that a kill at any moment leaves a complete one."""
        if not self.team.first:
            return
        state = {
            "run": self.identity,
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "log_scale": self.log_scale.detach(),
            "memory": self.memory.state_dict(),
        }
        partial = self.folder / "state.part"
        torch.save(state, partial)
        partial.replace(self.folder / "state.pt")

    def resume(self) -> None:
        """Continue from the folder's state, if it has one.

        Raises:
            ConfigurationError: It is damaged, or belongs to another configuration.
        """
        file = self.folder / "state.pt"
        if not file.is_file():
            return
        try:
            state = torch.load(file, map_location=self.team.device, weights_only=True)
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
        self.memory.load_state_dict(state["memory"])
        with torch.no_grad():
            self.log_scale.copy_(state["log_scale"])
