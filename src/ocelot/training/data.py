"""What the batches of a run are made from: photographs, drawings, your own files."""

from __future__ import annotations

import random
from pathlib import Path

import torch

from ocelot.errors import ConfigurationError
from ocelot.model.preprocess import normalise
from ocelot.model.tokenizer import TextTokenizer
from ocelot.training.batch import LONGEST, Batch, collate
from ocelot.training.config import TrainConfig
from ocelot.training.distributed import Team
from ocelot.training.makers import draw_draft
from ocelot.training.monitor import Monitor
from ocelot.training.own import (
    Files,
    add_lines,
    cut_texts,
    draw_lines,
    read_own,
    usable_lines,
)
from ocelot.training.photographs import Album, read_album, read_names
from ocelot.training.pictures import PicturePool, StencilPool
from ocelot.training.studio import Studio
from ocelot.training.triplets import Draft, Source

__all__ = ["Data"]


class Data:
    """All that batches are made from, opened once."""

    def __init__(self, config: TrainConfig, folder: Path, team: Team) -> None:
        self.config, self.folder, self.team = config, folder, team
        data = config.data
        self.own = read_own(Path(data.triplets)) if data.triplets else None
        self.validation = read_own(Path(data.validation)) if data.validation else None
        self.album: Album | None = None
        self.held_out: Album | None = None
        if data.photographs:
            kept = read_names(Path(data.held_out)) if data.held_out else frozenset()
            source = Path(data.photographs)
            with team.first_alone():
                self.album = read_album(
                    source, folder / "photographs.npy", articles=data.articles, without=kept
                )
                if kept:
                    self.held_out = read_album(
                        source, folder / "held_out.npy", articles=data.articles, only=kept
                    )

    def open(self, size: int, tokenizer: TextTokenizer) -> None:
        """Draw what the catalogue lends; after the size of the encoder's pictures is known."""
        data, groups, seed = self.config.data, self.config.groups, self.config.seed
        side = data.drawing_size or size
        drawings = stencils = None
        with self.team.first_alone():
            if groups.drawings:
                drawings = PicturePool(
                    self.folder / "drawings.npy",
                    size=side,
                    views=data.views,
                    theme_views=data.theme_views,
                    seed=seed,
                )
            if groups.prints:
                stencils = StencilPool(
                    self.folder / "stencils.npy", size=side, views=data.stencil_views, seed=seed
                )
        self.size, self.tokenizer = size, tokenizer
        if self.own is not None:
            self.own = cut_texts(self.own, tokenizer, LONGEST)
        if self.validation is not None:
            self.validation = cut_texts(self.validation, tokenizer, LONGEST)
        self._stencils = stencils
        self._files = None if self.own is None else Files(self.own.files, size)
        self._studio = Studio(
            size,
            album=self.album,
            drawings=drawings,
            stencils=stencils,
            files=self._files,
            strength=data.augmentation,
            device=self.team.device,
        )
        self._source = self._source_of(self.album)
        if groups.recolourings and not self._source.articles:
            raise ConfigurationError(
                f"No photograph in {data.photographs} shows one article that can be cut out: "
                "see articles in [data]."
            )

    def batch(self, step: int) -> Batch:
        """One step's data, decided by seed, step, rank and number of processes alone."""
        seed, team, groups = self.config.seed, self.team, vars(self.config.groups)
        rng = random.Random(f"{seed}/{step}/{team.rank}")
        draft = draw_draft(rng, self._source, groups)
        if self.own is not None and self._files is not None:
            place = {"seed": seed, "step": step, "rank": team.rank, "size": team.size}
            add_lines(draft, draw_lines(self.own, self._files, groups["own"], **place))
        pixels = normalise(self._studio.develop(draft.shots, rng), self.team.device)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        return collate(pixels, [shot.traits for shot in draft.shots], draft.queries, self.tokenizer)

    def monitor(self) -> Monitor:
        """Held-out searches on what this run has."""
        groups, album, own = vars(self.config.groups), None, None
        if self.held_out is not None:
            studio = Studio(self.size, album=self.held_out, stencils=self._stencils)
            album = studio, self._source_of(self.held_out)
        if self.validation is not None:
            files, draft = Files(self.validation.files, self.size), Draft()
            add_lines(draft, usable_lines(self.validation, files))
            own = Studio(self.size, files=files, strength=0.0), draft
        return Monitor(
            self.size,
            self.tokenizer,
            album=album,
            makers=[maker for maker in ("recolourings", "views", "prints") if groups[maker]],
            drawings=bool(groups["drawings"]),
            own=own,
        )

    def _source_of(self, album: Album | None) -> Source:
        return Source(
            album.photographs if album else (), self._stencils.products if self._stencils else ()
        )
