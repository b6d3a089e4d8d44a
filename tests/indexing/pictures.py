"""Pictures drawn for tests, and an encoder that tells them apart by their colours."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from ocelot.collection import EncoderIdentity
from ocelot.encoders.base import Encoder


class HistogramEncoder(Encoder):
    """Counts of each channel's levels, and of nothing else."""

    name = "histogram"
    dimension = 24
    fingerprint = "histogram-1"
    batch_size = 4

    def __init__(self) -> None:
        self.embedded = 0

    @property
    def identity(self) -> EncoderIdentity:
        return EncoderIdentity(self.name, self.fingerprint, self.dimension)

    def prepare(self, item):
        image, _ = super().prepare(item)
        pixels = np.asarray(image.resize((8, 8)))
        return np.concatenate(
            [np.histogram(pixels[..., c], 8, (0, 256))[0] for c in range(3)]
        ).astype(np.float32)

    def embed(self, batch):
        self.embedded += len(batch)
        return np.stack(batch)


def hash_file(path: Path | str) -> str:
    """The id of a file's content."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def picture(path: Path, number: int = 0, mode: str = "RGB", **options: object) -> Path:
    """A picture whose bytes differ with `number`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = np.random.default_rng(number).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(drawn).convert(mode).save(path, **options)
    return path


def bomb(path: Path) -> Path:
    """A small PNG whose header claims 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b""))
    return path
