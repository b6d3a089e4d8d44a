"""Every error that Ocelot raises on purpose.

    OcelotError
    ├── InputError             what the caller passed cannot be used
    │   ├── ImageError         a picture cannot be read
    │   │   └── ImageTooLarge  it has more bytes or pixels than the limit
    │   ├── FilterError        a filter expression that Milvus does not accept
    │   ├── ItemNotFound       there is no such item, or its file no longer exists
    │   ├── MetadataError      a metadata or triplets file that cannot be used
    │   └── UnknownWords       the encoder knows no word of a text
    ├── ConfigurationError     a setting is wrong, or an optional package is missing
    ├── EncoderError           an encoder cannot be loaded or gave unusable vectors
    │   └── CheckpointError    weights, config or tokenizer are missing or do not fit
    ├── CollectionError        Milvus refused or failed
    │   ├── CollectionNotFound     there is no such collection
    │   ├── DatabaseUnavailable    the database cannot be opened or reached
    │   └── EncoderMismatch        the collection was made with another encoder
    ├── RerankError            a reranker or its model gave no answer (never fails a search)
    ├── DownloadError          a file cannot be fetched or unpacked
    ├── StorageError           a file cannot be written to the disk
    ├── Overloaded             too many requests are waiting; try again later
    └── RequestTimeout         a request took too long

Each message is one sentence that names the input, the cause and what to do.
Errors of other packages are mapped to these at the module that calls the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "CheckpointError",
    "CollectionError",
    "CollectionNotFound",
    "ConfigurationError",
    "DatabaseUnavailable",
    "DownloadError",
    "EncoderError",
    "EncoderMismatch",
    "FilterError",
    "ImageError",
    "ImageTooLarge",
    "InputError",
    "ItemNotFound",
    "MetadataError",
    "OcelotError",
    "Overloaded",
    "RequestTimeout",
    "RerankError",
    "StorageError",
    "UnknownWords",
]


class OcelotError(Exception):
    """Base of every error in this module."""


class InputError(OcelotError):
    """What the caller passed cannot be used as it is."""


class ImageError(InputError):
    """A picture cannot be read.

    Args:
        name: The name of the picture in the message (a path, or "the image" for bytes).
        reason: Why it cannot be used, without the name.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"Cannot use {name}: {reason}.")
        self.name = name
        self.reason = reason

    def __reduce__(self) -> tuple[type[ImageError], tuple[str, str]]:
        return (type(self), (self.name, self.reason))


class ImageTooLarge(ImageError):
    """A picture has more bytes or pixels than the limit."""


class FilterError(InputError):
    """A filter expression that Milvus does not accept."""


class ItemNotFound(InputError):
    """There is no such item, or its file no longer exists."""


class MetadataError(InputError):
    """A metadata or triplets file that cannot be used."""


class UnknownWords(InputError):
    """The encoder knows no word of a text, and there is nothing else to search for."""


class ConfigurationError(OcelotError):
    """A setting is wrong, or an optional package is missing."""


class EncoderError(OcelotError):
    """An encoder cannot be loaded or gave unusable vectors."""


class CheckpointError(EncoderError):
    """Weights, config or tokenizer are missing or do not fit together."""


class CollectionError(OcelotError):
    """Milvus refused or failed."""


class CollectionNotFound(CollectionError):
    """There is no such collection."""


class DatabaseUnavailable(CollectionError):
    """The database cannot be opened or reached."""


class EncoderMismatch(CollectionError):
    """The collection was made with another encoder."""


class RerankError(OcelotError):
    """A reranker, or its language model, gave no usable answer.

    Searches report it and keep retrieval order.
    """


class DownloadError(OcelotError):
    """A file cannot be fetched or unpacked."""


class StorageError(OcelotError):
    """A file cannot be written: the disk is full or read-only."""


class Overloaded(OcelotError):
    """Too many requests are waiting.

    Args:
        message: One sentence.
        retry_after: Seconds to wait before trying again.
    """

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[type[Overloaded], tuple[str, int]]:
        return (type(self), (str(self), self.retry_after))


class RequestTimeout(OcelotError):
    """A request took too long."""


@contextmanager
def requires_extra(extra: str, what: str) -> Iterator[None]:
    """Say which extra of the package to install if an import in the block fails.

    >>> with requires_extra("st", "The encoder st:clip"):  # doctest: +ELLIPSIS
    ...     import not_there
    Traceback (most recent call last):
    ...
    ocelot.errors.ConfigurationError: The encoder st:clip needs more packages (not_there ...
    """
    try:
        yield
    except ImportError as error:
        package = str(error.name).partition(".")[0]
        raise ConfigurationError(
            f"{what} needs more packages ({package} is missing): "
            f"pip install 'ocelot-search[{extra}]'."
        ) from None
