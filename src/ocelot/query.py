"""What a person asks for, and what an encoder encodes of it.

The query vector is made of these parts in `ocelot.query_vector`; what is done with the hits is in
`ocelot.selection`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import TYPE_CHECKING, Any

from ocelot.errors import InputError

if TYPE_CHECKING:
    from ocelot.images.file import ImageFile, ImageSource

__all__ = ["MAX_ITEMS", "MAX_REFERENCES", "WEIGHTS", "Input", "Query", "read_text"]

MAX_REFERENCES = 8  # reference images in one query, and as many negative ones
MAX_ITEMS = 100  # ids of items that are liked, and as many that are not
WEIGHTS = (0.1, 10.0)  # least and most

_NEGATIVE = re.compile(r'(?:^|(?<=\s))-(?:"([^"]+)"|([^\W\d_]\S*))')


def _image(source: Any) -> ImageFile:
    from ocelot.images.file import ImageFile  # `import ocelot` does not need Pillow

    return ImageFile.of(source)


def _text(text: str | None) -> str | None:
    """The text as it can be tokenised and sent; blank text counts as none."""
    if text is not None and not isinstance(text, str):
        raise InputError(f"The text must be a str, was: {type(text).__name__}.")
    # Lone surrogates (bytes of another encoding) cannot be tokenised.
    return text.encode("utf-8", "replace").decode() if text and text.strip() else None


def _is_given(source: Any) -> bool:
    return source is not None and not (isinstance(source, str) and not source)


@dataclass(frozen=True, init=False)
class Input:
    """What an encoder encodes into one vector: an image, a text, or both.

    Attributes:
        image: Given as anything that `ImageFile.of` takes; an empty path counts as none.
        text: Blank text counts as none.
        is_query: Whether this asks for something; some encoders have another prompt for that.

    Raises:
        InputError: There is neither an image nor a text, or one is of another type.
        ImageError: The image's file cannot be read.
    """

    image: ImageFile | None = None
    text: str | None = None
    is_query: bool = False

    def __init__(
        self, image: ImageSource | None = None, text: str | None = None, is_query: bool = False
    ) -> None:
        object.__setattr__(self, "image", _image(image) if _is_given(image) else None)
        object.__setattr__(self, "text", _text(text))
        object.__setattr__(self, "is_query", is_query)
        if self.image is None and self.text is None:
            raise InputError("There is nothing to encode: give an image, a text, or both.")


@dataclass(frozen=True, init=False, repr=False)
class Query:
    """What a person asks for: images, a text, or images changed as the text says.

    Attributes:
        images: Reference images, in order; given as one image or a list of them, each anything
            that `ImageFile.of` takes. Empty paths are left out.
        text: Blank text counts as none.
        items: Ids of stored items whose pictures are further reference images.
        image_weights: What the pictures count, 0.1 to 10: a number for all, or one for each,
            those of `items` last.
        text_weight: What the text counts beside the pictures, 0.1 to 10. Equal weights leave it
            to the encoder.
        negative_text, negative_images: What is not wanted.
        negative_weight: How far the query moves away from what is not wanted, 0.1 to 10.
        like, unlike: Ids of stored items that the hits should be closer to, and further from.
        group_by: A metadata field: only the best hit of each of its values is returned.
        fold: The cosine similarity from which a hit is left out as a near duplicate of a better
            one, 0 to 1.
        diversity: How much it counts that hits differ from each other, 0 to 1.
        min_share: Leave out hits whose score is below this share of the best one's, 0 to 1.
        hybrid: A metadata field, such as "title": hits that share words of the text there come
            forward. Without a text it changes nothing.

    Raises:
        InputError: There is neither an image nor a text, a part is of another type or out of its
            range, there are more than `MAX_REFERENCES` images, or `hybrid` is given together with
            `diversity`.
        ImageError: An image's file cannot be read.
    """

    images: tuple[ImageFile, ...] = ()
    text: str | None = None
    items: tuple[str, ...] = ()
    image_weights: tuple[float, ...] = ()  # one for each of `images` and `items`; none if all are 1
    text_weight: float = 1.0
    negative_text: str | None = None
    negative_images: tuple[ImageFile, ...] = ()
    negative_weight: float = 0.5
    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    group_by: str | None = None
    fold: float | None = None
    diversity: float = 0.0
    min_share: float | None = None
    hybrid: str | None = None

    def __init__(
        self,
        images: ImageSource | Sequence[ImageSource] | None = None,
        text: str | None = None,
        *,
        items: str | Sequence[str] = (),
        image_weights: float | Sequence[float] = 1.0,
        text_weight: float = 1.0,
        negative_text: str | None = None,
        negative_images: ImageSource | Sequence[ImageSource] | None = None,
        negative_weight: float = 0.5,
        like: str | Sequence[str] = (),
        unlike: str | Sequence[str] = (),
        group_by: str | None = None,
        fold: float | None = None,
        diversity: float = 0.0,
        min_share: float | None = None,
        hybrid: str | None = None,
    ) -> None:
        ids = _ids(items, "items")
        references = _images(images, "reference", len(ids))
        vars(self).update(
            images=references,
            text=_text(text),
            items=ids,
            image_weights=_weights(image_weights, len(references) + len(ids)),
            text_weight=_number(text_weight, "text_weight", *WEIGHTS),
            negative_text=_text(negative_text),
            negative_images=_images(negative_images, "negative"),
            negative_weight=_number(negative_weight, "negative_weight", *WEIGHTS),
            like=_ids(like, "like"),
            unlike=_ids(unlike, "unlike"),
            group_by=_text(group_by),
            fold=None if fold is None else _number(fold, "fold", 0, 1),
            diversity=_number(diversity, "diversity", 0, 1),
            min_share=None if min_share is None else _number(min_share, "min_share", 0, 1),
            hybrid=_text(hybrid),
        )
        if self.hybrid and self.diversity:
            raise InputError(
                "The query has hybrid and diversity, which both make an order of the hits: leave "
                "one out."
            )
        if not references and not ids and self.text is None:
            steered = self.negative_text or self.negative_images or self.like or self.unlike
            besides = ", besides what to move towards or away from" if steered else ""
            raise InputError(
                f"There is nothing to search for: give an image, a text, or both{besides}."
            )

    def __repr__(self) -> str:
        given = {"images": self.images, "text": self.text}
        given |= {name: getattr(self, name) for name in self.extras()}
        return f"Query({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    def inputs(self) -> tuple[Input, ...]:
        """What an encoder takes: one input for each image, with the text; or the text alone."""
        return tuple(Input(image, self.text, is_query=True) for image in self.images or (None,))

    def reference_ids(self) -> tuple[str, ...]:
        """The content hashes of the reference images."""
        return tuple(image.id for image in self.images)

    def extras(self) -> dict[str, Any]:
        """The parts that differ from their defaults, besides images and text, as plain values.

        Examples:
            >>> Query(text="shirt", negative_text="red").extras()
            {'negative_text': 'red'}
        """
        found: dict[str, Any] = {}
        for part in fields(self)[2:]:
            value = getattr(self, part.name)
            if part.name == "negative_images":
                value = tuple(image.id for image in value)
            if value != part.default:
                found[part.name] = list(value) if isinstance(value, tuple) else value
        return found

    @property
    def is_plain(self) -> bool:
        """Whether the scores of its hits are those of images and a text alone, in falling order.

        Only such scores are comparable with those that a calibration was fitted on.
        """
        return self.extras().keys() <= {"min_share"}

    def refined(self, text: str | None = None, **parts: Any) -> Query:
        """This query with more: texts and lists are added, all other parts are replaced.

        Examples:
            >>> Query(text="a kettle").refined("in blue", like="SKU-1", diversity=0.3)
            Query(images=(), text='a kettle, in blue', like=('SKU-1',), diversity=0.3)

        Args:
            text: Added to the text.
            **parts: As `Query` takes them. Weights for single pictures must count the new ones.

        Raises:
            InputError, ImageError: As of `Query`.
        """
        changes = {"text": text, **parts}
        for name, value in changes.items():
            old = getattr(self, name, None)
            if name in ("text", "negative_text"):
                changes[name] = ", ".join(filter(None, [old, _text(value)]))
            elif isinstance(old, tuple) and name != "image_weights":
                new = value if isinstance(value, (list, tuple)) else [value]
                changes[name] = (*old, *new)
        return replace(self, **changes)


def read_text(text: str) -> tuple[str | None, str | None]:
    """Split a text as people type it into what is wanted and what is not.

    A word after a blank and a minus is not wanted, nor are several words in quotation marks. Other
    signs, as in "t-shirt", "2 - 3" and "-5", mean nothing.

    >>> read_text('t-shirt -red -"polka dots"')
    ('t-shirt', 'red, polka dots')
    """
    unwanted = ", ".join(quoted or word for quoted, word in _NEGATIVE.findall(text))
    wanted = " ".join(_NEGATIVE.sub(" ", text).split()) if unwanted else text
    return wanted or None, unwanted or None


def _images(given: Any, kind: str, others: int = 0) -> tuple[ImageFile, ...]:
    sources = list(given) if isinstance(given, (list, tuple)) else [given]
    sources = [source for source in sources if _is_given(source)]
    if len(sources) + others > MAX_REFERENCES:
        raise InputError(
            f"A query takes at most {MAX_REFERENCES} {kind} images, was: "
            f"{len(sources) + others}; leave some out."
        )
    return tuple(map(_image, sources))


def _ids(given: Any, name: str) -> tuple[str, ...]:
    ids = [given] if isinstance(given, str) else given
    if not isinstance(ids, (list, tuple)) or not all(isinstance(one, str) for one in ids):
        raise InputError(f"The query's {name} must be a list of ids of items, was: {given!r}.")
    unique = tuple(dict.fromkeys(ids))
    if len(unique) > MAX_ITEMS:
        raise InputError(
            f"The query's {name} may be at most {MAX_ITEMS} ids, was: {len(unique)}; leave some "
            "out."
        )
    return unique


def _weights(given: Any, pictures: int) -> tuple[float, ...]:
    """One weight for each picture; none if all are 1."""
    weights = list(given) if isinstance(given, (list, tuple)) else [given] * pictures
    if weights and len(weights) != pictures:
        raise InputError(
            f"The query has {pictures} pictures and {len(weights)} image_weights: give one number, "
            "or one for each picture."
        )
    found = tuple(_number(weight, "image_weights", *WEIGHTS) for weight in weights)
    return () if set(found) <= {1.0} else found


def _number(value: Any, name: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not least <= float(value) <= most:
        raise InputError(f"The query's {name} must be {least:g} to {most:g}, was: {value!r}.")
    return float(value)
