"""Pictures of a video: which frames are taken, and a frame found again by its second.

A frame's content hash is made of that of the video and of its second; no frame is kept as a file.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from ocelot.errors import ConfigurationError, ImageError, ImageTooLarge, InputError
from ocelot.images.decode import MAX_PIXELS, hash_bytes
from ocelot.images.file import ImageFile
from ocelot.images.places import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from PIL import Image

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]

__all__ = ["FrameFile", "checked_sampling", "frame_at", "frames", "is_new_scene", "is_video"]

_SMALL = (32, 18)  # width and height of what is compared, pixels
_CHANGE = 27  # of 255: mean difference of two scenes, the default of PySceneDetect
_SHORTEST = 1.0  # seconds of a scene
_NEAR = 0.0005  # seconds; places are written in milliseconds
_CUT_OFF = 0.05  # share of its duration that may be missing at the end
_MISSING = "videos need one more package (pip install 'ocelot-search[video]')"


@dataclass(frozen=True)
class FrameFile(ImageFile):
    """A frame as a PNG file, whose id is that of its place in the video."""

    content: str = ""

    @cached_property
    def id(self) -> str:
        return self.content


def checked_sampling(text: str) -> str:
    """How frames are chosen: "scene", or the seconds between two of them.

    >>> checked_sampling("5.0")
    '5'
    """
    if find_spec("av") is None:
        raise ConfigurationError(f"Indexing {_MISSING}.")
    if text == "scene":
        return text
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.01 <= seconds <= 86_400:
        raise InputError(f"Frames are chosen by scene, or every so many seconds, was: {text!r}.")
    return f"{seconds:.10g}"


def is_video(path: str) -> bool:
    """Whether the file is a video by its suffix."""
    return os.path.splitext(path)[1].lower() in VIDEO_SUFFIXES


def is_new_scene(kept: Pixels, now: Pixels) -> bool:
    """Whether a frame shows something else than the last one that was taken, by mean colours.

    So a slow change counts, too. PySceneDetect's ContentDetector compares neighbours.

    Args:
        kept, now: Small RGB pictures of equal shape (height, width, 3).
    """
    difference = np.abs(kept.astype(np.int16) - now.astype(np.int16)).mean()
    return bool(difference >= _CHANGE)


def frames(path: str, sampling: str) -> Iterator[tuple[float, FrameFile]]:
    """The chosen frames in their order, with their seconds from the start; the first is at 0.

    Args:
        sampling: As `checked_sampling` returns it.

    Raises:
        ImageError: The video cannot be read, has no picture, or is damaged or cut off, perhaps
            after some frames.
    """
    interval = math.inf if sampling == "scene" else float(sampling)
    content = _content_of(path)
    kept: Pixels | None = None
    second, due, taken, shown = 0.0, 0.0, 0.0, 0.0
    with _opened(path) as (container, stream, start):
        for frame in container.decode(stream):
            second = _second(frame, start)
            shown = float((frame.duration or 0) * (frame.time_base or 0))  # how long
            small = kept
            if sampling == "scene":
                wide, high = _SMALL
                small = frame.reformat(width=wide, height=high, format="rgb24").to_ndarray()
                wanted = kept is None or (second - taken >= _SHORTEST and is_new_scene(kept, small))
            else:
                wanted = second >= due - _NEAR
            if wanted:
                taken = 0.0 if due == 0 else round(second, 3)
                kept, due = small, (math.floor(second / interval + _NEAR) + 1) * interval
                yield taken, _file(frame, path, taken, content)
        if due == 0:
            raise ImageError(path, "no frame of it can be decoded")
        length = float((container.duration or 0) / 1_000_000)  # in Matroska from 0, not the start
        if length - (max(start, 0.0) + second + shown) > max(1.0, _CUT_OFF * length):
            raise ImageError(path, f"it ends after {second:.1f} of {length:.1f} s: it is cut off")


def frame_at(path: str, second: float) -> FrameFile:
    """The frame at a second; `ImageError` if the video cannot be read, or has no such frame."""
    content = _content_of(path)
    with _opened(path) as (container, stream, start):
        for place in (second, 0.0):  # the index of a file may be wrong: then from its start
            container.seek(max(0, int((place + start) * 1_000_000)))
            for frame in container.decode(stream):
                now = _second(frame, start)
                if now >= second - _NEAR:
                    if now <= second + _NEAR or place == 0:
                        return _file(frame, path, second, content)
                    break
    raise ImageError(path, f"it has no frame at {second:g} s")


@contextmanager
def _opened(path: str) -> Iterator[tuple[Any, Any, float]]:
    """The container, its first video stream, and the time at which that starts."""
    try:
        import av
    except ImportError:
        raise ImageError(path, _MISSING) from None
    try:
        container = av.open(path)
    except Exception as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ImageError(path, f"it is not a video that can be read ({reason})") from None
    with container:
        if not container.streams.video:
            raise ImageError(path, "it has no video stream")
        stream = container.streams.video[0]
        if stream.width * stream.height > MAX_PIXELS:
            raise ImageTooLarge(path, f"{stream.width} x {stream.height} pixels are too many")
        stream.thread_type = "AUTO"
        try:
            yield container, stream, float((stream.start_time or 0) * (stream.time_base or 0))
        except ImageError:
            raise
        except Exception as error:  # the decoders have many types
            raise ImageError(path, f"it is damaged ({error})") from error


def _second(frame: Any, start: float) -> float:
    return max(0.0, (frame.time or 0.0) - start)


def _file(frame: Any, path: str, second: float, content: str) -> FrameFile:
    image: Image.Image = frame.to_image()
    if frame.rotation:  # a phone that was held upright
        image = image.rotate(frame.rotation, expand=True)
    at = f"{second:.10g}"
    id = hash_bytes(f"{content} {at}".encode())
    return FrameFile(ImageFile.of(image).data, f"{path} at {at} s", id)


def _content_of(path: str) -> str:
    try:
        status = os.stat(path)
        return _hash_file(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise ImageError(path, error.strerror or str(error)) from error


@lru_cache(1024)
def _hash_file(path: str, size: int, mtime_ns: int) -> str:
    """SHA-256 of a file; its size and time are there for the cache."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
