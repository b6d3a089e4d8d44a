"""Small real videos of plain colours."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RED, GREEN, BLUE = (230, 20, 20), (20, 200, 20), (20, 20, 230)
Scene = tuple[tuple[int, int, int], float]  # a colour, and for how many seconds


def write_video(
    path: Path,
    scenes: Sequence[Scene],
    size: tuple[int, int] = (64, 48),
    *,
    rate: int | Fraction = 10,
    start: int = 0,
) -> Path:
    """A video of 10 frames to a second of `scenes`, shown at `rate`; `start` in seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        number = itertools.count(round(start * rate))
        for colour, seconds in scenes:
            pixels = np.full((size[1], size[0], 3), colour, np.uint8)
            for _ in range(round(10 * seconds)):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = next(number), 1 / Fraction(rate)
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """A file with sound alone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        samples = np.zeros((1, 8000), np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
