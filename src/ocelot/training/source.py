"""Batches of a file of triplets: its triplets in random order, their pictures and labels."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from ocelot.errors import ConfigurationError, ImageError
from ocelot.images.file import ImageFile
from ocelot.model.preprocess import DECODE_MARGIN, Pixels, to_pixels
from ocelot.model.tokenizer import TextTokenizer
from ocelot.training.augment import Random, crop, relight
from ocelot.training.batch import Batch, Query, collate
from ocelot.training.config import LONGEST_TEXT, TrainConfig
from ocelot.training.distributed import ProcessGroup
from ocelot.training.triplets import Triplet, TripletFile, cut_texts, read_triplet_file

__all__ = ["PictureReader", "TripletReader", "TripletSource", "arrange", "sample"]

log = logging.getLogger(__name__)

_THREADS = 8
_CACHE_BYTES = 2**29


class PictureReader:
    """Decodes pictures, `size` pixels wide; the last stay in memory.

    Args:
        reduced: Whether a large JPEG may be decoded at a smaller size, as for an index.
    """

    def __init__(self, pictures: Sequence[Path], size: int, *, reduced: bool = False) -> None:
        self._pictures, self._size = pictures, size
        self._shortest = DECODE_MARGIN * size if reduced else None
        self._broken: set[int] = set()
        self._read = lru_cache(max(1, _CACHE_BYTES // (3 * size * size)))(self._decode)

    def read(self, numbers: Iterable[int]) -> dict[int, Pixels]:
        """Return pixels, uint8, shape (3, size, size), by the picture's number.

        A picture that cannot be decoded is left out, with a warning the first time.
        """
        wanted = list(dict.fromkeys(numbers))
        with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
            found = zip(wanted, pool.map(self._read, wanted), strict=True)
        return {number: pixels for number, pixels in found if pixels is not None}

    def _decode(self, number: int) -> Pixels | None:
        try:
            image = ImageFile.of(self._pictures[number]).rgb(self._shortest)
            return to_pixels(image, self._size)
        except ImageError as error:
            if number not in self._broken:
                log.warning("%s It is left out.", error)
            self._broken.add(number)
            return None


class TripletReader(PictureReader):
    """Decodes the pictures of a file of triplets."""

    def __init__(self, file: TripletFile, size: int) -> None:
        super().__init__(file.pictures, size)
        self.file = file

    def usable(self, triplets: Iterable[Triplet]) -> Iterator[Triplet]:
        """Yield the triplets whose pictures can all be decoded; none at all is an error."""
        none = True
        for triplet in triplets:
            if self.read(triplet.pictures).keys() >= set(triplet.pictures):
                none = False
                yield triplet
        if none:
            raise ConfigurationError(
                f"Every line of {self.file.path} has a picture that cannot be read: see the log."
            )


def sample(
    reader: TripletReader, count: int, *, seed: int, step: int, rank: int, size: int
) -> list[Triplet]:
    """Choose `count` triplets for process `rank` of `size` at one step.

    Each epoch goes through all triplets in another order, and no two processes take the same one.
    A triplet with a picture that cannot be decoded is replaced by another. Equal arguments and
    files give equal triplets.
    """
    triplets = reader.file.triplets
    chosen = {}  # by position in the endless row of epochs
    for position in range(first := (step * size + rank) * count, first + count):
        epoch, place = divmod(position, len(triplets))
        chosen[position] = triplets[_order(len(triplets), f"own/{seed}/{epoch}")[place]]
    readable = reader.read(n for triplet in chosen.values() for n in triplet.pictures).keys()
    for position, triplet in chosen.items():
        if not readable >= set(triplet.pictures):
            order = random.Random(f"own/{seed}/at {position}").sample(triplets, len(triplets))
            chosen[position] = next(reader.usable(order))
    return list(chosen.values())


@lru_cache(maxsize=4)
def _order(length: int, seed: str) -> list[int]:
    return random.Random(seed).sample(range(length), length)


def arrange(triplets: Sequence[Triplet]) -> tuple[list[int], list[Query]]:
    """Return the pictures of a batch, as numbers within the file, and its queries.

    Each picture is there once and is a candidate for all queries. Only the target's own picture
    answers a query; so a reference is a negative of its own query. A reference that is the target
    as well is there twice, to be augmented differently.
    """
    pictures: list[int] = []
    queries = []

    def place(number: int) -> int:
        if number not in pictures:
            pictures.append(number)
        return pictures.index(number)

    for triplet in triplets:
        target, reference = place(triplet.target), None
        for number in triplet.negatives:
            place(number)
        if triplet.reference == triplet.target:
            reference = len(pictures)
            pictures.append(triplet.target)
        elif triplet.reference is not None:
            reference = place(triplet.reference)
        queries.append(Query(reference, triplet.text, target, (triplet.target,)))
    return pictures, queries


class TripletSource:
    """A `BatchSource` of a file of triplets, and of another one for the held-out R@1.

    Raises:
        ConfigurationError: The configuration names no triplets.
        MetadataError: A file cannot be used; see `read_triplet_file`.
    """

    def __init__(self, config: TrainConfig) -> None:
        if not config.data.triplets:
            raise ConfigurationError("[data] triplets is missing: name your file of triplets.")
        self._seed, self._data = config.seed, config.data
        self._files = [  # the validation file, if any, is the second
            read_triplet_file(Path(name))
            for name in (self._data.triplets, self._data.validation)
            if name
        ]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file of triplets."""
        return self._files[0].fingerprint

    def texts(self) -> list[str]:
        """Return the texts of the triplets."""
        return [triplet.text for triplet in self._files[0].triplets if triplet.text]

    def further_words(self) -> list[str]:
        """Return nothing: the texts are all there is."""
        return []

    def open(self, size: int, tokenizer: TextTokenizer, group: ProcessGroup) -> None:
        """See `BatchSource`."""
        self._tokenizer, self._group = tokenizer, group
        self._readers = [
            TripletReader(cut_texts(file, tokenizer, LONGEST_TEXT), size) for file in self._files
        ]

    def batch(self, step: int, rank: int) -> Batch:
        """See `BatchSource`."""
        reader, seed, processes = self._readers[0], self._seed, self._group.size
        triplets = sample(
            reader, self._data.batch_size, seed=seed, step=step, rank=rank, size=processes
        )
        rng = random.Random(f"{seed}/{step}/{rank}")
        return self._collate(triplets, reader, rng, self._data.augmentation)

    def held_out(self) -> Mapping[str, Batch]:
        """Return the search over all pictures of the validation file."""
        searches = {}
        for reader in self._readers[1:]:
            reader.read(range(len(reader.file.pictures)))  # at once, in all threads
            triplets = list(reader.usable(reader.file.triplets))
            searches["validation"] = self._collate(triplets, reader, random.Random(0), 0.0)
        return searches

    def _collate(
        self, triplets: list[Triplet], reader: TripletReader, rng: random.Random, strength: float
    ) -> Batch:
        numbers, queries = arrange(triplets)
        found = reader.read(numbers)
        pixels = torch.from_numpy(np.stack([found[number] for number in numbers]))
        pixels = pixels.to(self._group.device).float()
        source = Random(torch.Generator().manual_seed(rng.getrandbits(63)), self._group.device)
        pixels = relight(source, crop(source, pixels, strength), strength)
        return collate(pixels, [(number,) for number in numbers], queries, self._tokenizer)
