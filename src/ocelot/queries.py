"""What may be asked, as a `Query`; and the pictures of a query, read from their files once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ocelot.errors import ImageError, InputError
from ocelot.images.decode import hash_bytes, hash_file, load_image, read_file
from ocelot.types import Query

if TYPE_CHECKING:
    from ocelot.types import ImageSource

    Asked = Query | tuple[ImageSource | None, str | None] | ImageSource

__all__ = ["as_query", "by_name", "loaded", "reference_ids"]


def as_query(asked: Asked) -> Query:
    """A `Query` from itself, from an (image, text) pair, from a text, or from an image.

    A bare `str` is a text; a path to an image is a `Path` or stands in a pair.

    Raises:
        InputError: There is neither image nor text.
    """
    if isinstance(asked, Query):
        return asked
    if isinstance(asked, str):
        return Query(text=asked)
    if isinstance(asked, tuple):
        if len(asked) != 2:
            raise InputError(f"A query is an (image, text) pair, was: {len(asked)} values.")
        return Query(*asked)
    return Query(asked)


def loaded(query: Query) -> Query:
    """The same query with the bytes of its files, so that each is read once.

    Raises:
        ImageError: A file cannot be read.
    """
    images = [
        read_file(image) if isinstance(image, (str, Path)) else image for image in query.images
    ]
    return Query(None, query.text, tuple(images))


@contextmanager
def by_name(query: Query) -> Iterator[None]:
    """Lets an error of a picture name the file that its bytes are from."""
    try:
        yield
    except ImageError:
        for image in query.images:
            load_image(image)
        raise


def reference_ids(query: Query) -> tuple[str, ...]:
    """The ids of a loaded query's own pictures, where they are from files."""
    ids = []
    for image in query.images:
        if isinstance(image, bytes):
            ids.append(hash_bytes(image))
        elif path := getattr(image, "filename", None):
            with suppress(ImageError):  # a PIL image may outlive its file
                ids.append(hash_file(path))
    return tuple(ids)
