"""Batches of a file of triplets: which triplets, their pictures, and who answers whom."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from ocelot.errors import ConfigurationError, ImageError
from ocelot.images.file import ImageFile
from ocelot.model.preprocess import Pixels, to_pixels
from ocelot.model.tokenizer import TextTokenizer
from ocelot.training.augment import Random, crop, relight
from ocelot.training.batch import LONGEST, Batch, Query, collate
from ocelot.training.config import TrainConfig
from ocelot.training.distributed import ProcessGroup
from ocelot.training.triplets import Triplet, TripletFile, cut_texts, read_triplet_file

__all__ = ["PictureReader", "TripletSource", "arrange", "sample", "usable"]

log = logging.getLogger(__name__)

_THREADS = 8
_CACHE_BYTES = 2**29


class PictureReader:
    """Decodes pictures in a few threads; the last ones used stay in memory.

    Args:
        size: Pixels along one side.
    """

    def __init__(self, paths: Sequence[Path], size: int) -> None:
        self._paths, self._size = paths, size
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
            return to_pixels(ImageFile.of(self._paths[number]).rgb(), self._size)
        except ImageError as error:
            if number not in self._broken:
                log.warning("%s Its triplets are left out.", error)
            self._broken.add(number)
            return None


def sample(
    file: TripletFile,
    reader: PictureReader,
    count: int,
    *,
    seed: int,
    step: int,
    rank: int,
    size: int,
) -> list[Triplet]:
    """Choose the triplets of one process at one step.

    Each epoch goes through all triplets in another order, and no two processes take the same one.
    A triplet with a picture that cannot be decoded is replaced by another. Equal arguments and
    files give equal triplets.

    Args:
        rank, size: The number of this process, and how many there are.

    Raises:
        ConfigurationError: Every triplet has a picture that cannot be decoded.
    """
    first = (step * size + rank) * count
    chosen = []
    for position in range(first, first + count):
        epoch, place = divmod(position, len(file.triplets))
        chosen.append(file.triplets[_order(len(file.triplets), f"own/{seed}/{epoch}")[place]])
    readable = reader.read(number for triplet in chosen for number in triplet.pictures).keys()
    return [
        triplet
        if readable >= set(triplet.pictures)
        else _replacement(file, reader, f"own/{seed}/at {position}")
        for position, triplet in enumerate(chosen, first)
    ]


@lru_cache(maxsize=4)
def _order(length: int, seed: str) -> list[int]:
    return random.Random(seed).sample(range(length), length)


def _replacement(file: TripletFile, reader: PictureReader, seed: str) -> Triplet:
    for triplet in random.Random(seed).sample(file.triplets, len(file.triplets)):
        if reader.read(triplet.pictures).keys() >= set(triplet.pictures):
            return triplet
    raise _none_left(file)


def usable(file: TripletFile, reader: PictureReader) -> list[Triplet]:
    """Return the triplets whose pictures can all be decoded.

    Raises:
        ConfigurationError: There is none.
    """
    readable = reader.read(range(len(file.pictures))).keys()
    triplets = [triplet for triplet in file.triplets if readable >= set(triplet.pictures)]
    if not triplets:
        raise _none_left(file)
    return triplets


def _none_left(file: TripletFile) -> ConfigurationError:
    return ConfigurationError(
        f"Every line of {file.path} has a picture that cannot be read: see the log."
    )


def arrange(triplets: Sequence[Triplet]) -> tuple[list[int], list[Query]]:
    """Return the pictures of a batch, as numbers within the file, and its queries.

    Each picture is there once and is a candidate for all queries. Only the target's own picture
    answers a query; so a reference is a negative of its own query. A reference that is the target
    as well is there twice, to be augmented differently.
    """
    pictures: list[int] = []
    places: dict[int, int] = {}

    def place(number: int) -> int:
        if number not in places:
            places[number] = len(pictures)
            pictures.append(number)
        return places[number]

    queries = []
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
        data = config.data
        if not data.triplets:
            raise ConfigurationError("[data] triplets is missing: name your file of triplets.")
        self._seed, self._data = config.seed, data
        self._training = read_triplet_file(Path(data.triplets))
        self._validation = read_triplet_file(Path(data.validation)) if data.validation else None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file of triplets."""
        return self._training.fingerprint

    def texts(self) -> list[str]:
        """Return the texts of the triplets."""
        return [triplet.text for triplet in self._training.triplets if triplet.text]

    def open(self, size: int, tokenizer: TextTokenizer, group: ProcessGroup) -> None:
        """See `BatchSource`."""
        self._size, self._tokenizer, self._group = size, tokenizer, group
        self._training = cut_texts(self._training, tokenizer, LONGEST)
        if self._validation is not None:
            self._validation = cut_texts(self._validation, tokenizer, LONGEST)
        self._reader = PictureReader(self._training.pictures, size)

    def batch(self, step: int, rank: int) -> Batch:
        """See `BatchSource`."""
        triplets = sample(
            self._training,
            self._reader,
            self._data.batch_size,
            seed=self._seed,
            step=step,
            rank=rank,
            size=self._group.size,
        )
        rng = random.Random(f"{self._seed}/{step}/{rank}")
        return self._collate(triplets, self._reader, rng, self._data.augmentation)

    def held_out(self) -> Mapping[str, Batch]:
        """Return the search over all pictures of the validation file."""
        if self._validation is None:
            return {}
        reader = PictureReader(self._validation.pictures, self._size)
        triplets = usable(self._validation, reader)
        return {"validation": self._collate(triplets, reader, random.Random(0), 0.0)}

    def _collate(
        self,
        triplets: Sequence[Triplet],
        reader: PictureReader,
        rng: random.Random,
        strength: float,
    ) -> Batch:
        numbers, queries = arrange(triplets)
        found = reader.read(numbers)
        device = self._group.device
        pixels = torch.from_numpy(np.stack([found[number] for number in numbers]))
        source = Random(torch.Generator().manual_seed(rng.getrandbits(63)), device)
        pixels = crop(source, pixels.to(device).float(), strength)
        pixels = relight(source, pixels, strength)
        return collate(pixels, [(number,) for number in numbers], queries, self._tokenizer)
