"""Where the picture of an item is, as a path: plain text, so nothing is read here.

::

    /shop/a.jpg                  a file
    s3://bucket/a.jpg            what fsspec can read; http and https without it
    shards/01.tar#0001.jpg       a member of a tar
    shop.parquet#image=12        the column `image` of row 12, from 0
    clip.mp4#t=12.5&by=scene     the frame of a video at 12.5 s, after W3C Media Fragments
"""

from __future__ import annotations

import re

__all__ = ["VIDEO_SUFFIXES", "cell_of", "file_of", "frame_of", "frame_path", "is_url", "member_of"]

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi"})
_FRAME = re.compile(r"(?is)(.+\.(?:mp4|mov|mkv|webm|avi))#t=([0-9.]+)&by=[a-z0-9.]+")
_MEMBER = re.compile(r"(?is)(.+\.tar)#(.+)")
_CELL = re.compile(r"(?is)(.+\.parquet)#(.+)=([0-9]+)")


def is_url(path: str) -> bool:
    """Whether a path is a URL."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", path) is not None


def frame_path(path: str, second: float, sampling: str) -> str:
    """The place of a frame; the second is rounded to milliseconds.

    >>> frame_path("clip.mp4", 12.5, "scene")
    'clip.mp4#t=12.5&by=scene'
    """
    return f"{path}#t={round(second, 3):.10g}&by={sampling}"


def frame_of(path: str) -> tuple[str, float] | None:
    """The video and the second of a frame; None for any other path."""
    place = _FRAME.fullmatch(path)
    return (place[1], float(place[2])) if place else None


def member_of(path: str) -> tuple[str, str] | None:
    """The tar and the name of its member; None for any other path."""
    place = _MEMBER.fullmatch(path)
    return (place[1], place[2]) if place else None


def cell_of(path: str) -> tuple[str, str, int] | None:
    """The Parquet file, the column and the row of a cell; None for any other path."""
    place = _CELL.fullmatch(path)
    return (place[1], place[2], int(place[3])) if place else None


def file_of(path: str) -> str:
    """The file that a picture is in: a container, a video, or its own.

    >>> file_of("shards/01.tar#0001.jpg")
    'shards/01.tar'
    """
    place = frame_of(path) or cell_of(path) or member_of(path)
    return place[0] if place else path
