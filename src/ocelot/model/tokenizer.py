"""Text to token ids, with the `tokenizers` package and without transformers; batches of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from ocelot.errors import CheckpointError

__all__ = ["TextTokenizer", "chunks", "pad", "word_piece"]

log = logging.getLogger(__name__)

_CHEAP_PADDING = 64  # tokens of padding that cost less than another run


class TextTokenizer:
    """A Hugging Face tokenizer that puts each text between [CLS] and [SEP], or <s> and </s>."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.tokenizer = tokenizer
        tokenizer.encode("☃")  # an unknown word: without a token for it, this fails
        self.empty: tuple[int, ...] = tuple(tokenizer.encode("").ids)
        if len(self.empty) != 2:
            raise CheckpointError(
                "The tokenizer must add two special tokens to a text ([CLS] and [SEP]); "
                f"it adds {len(self.empty)} to the empty text."
            )

    @classmethod
    def load(cls, folder: Path) -> TextTokenizer:
        """Read `tokenizer.json`, else `vocab.txt` (WordPiece), from a folder."""
        ready, vocabulary = folder / "tokenizer.json", folder / "vocab.txt"
        try:
            if ready.is_file():
                return cls(Tokenizer.from_file(str(ready)))
            if vocabulary.is_file():
                # Not splitlines: a word may contain another line separator of Unicode.
                words = vocabulary.read_text(encoding="utf-8").removesuffix("\n").split("\n")
                options = folder / "tokenizer_config.json"
                known = json.loads(options.read_bytes()) if options.is_file() else {}
                return cls(word_piece(words, lower_case=bool(known.get("do_lower_case", True))))
        except CheckpointError:
            raise
        except Exception as error:  # tokenizers raises bare Exception
            raise CheckpointError(
                f"Cannot read the tokenizer in {folder}: {error}. Fetch its files again."
            ) from error
        raise CheckpointError(
            f"There is no tokenizer in {folder}: it needs tokenizer.json or vocab.txt "
            "from the text model's repository."
        )

    def __call__(self, text: str | None, longest: int) -> tuple[int, ...]:
        """Return the token ids of a text; more than `longest` are cut, with a warning."""
        if text is None:
            return self.empty
        ids = self.tokenizer.encode(text).ids
        if len(ids) > longest:
            log.warning(
                "A text of %d tokens was cut to %d, the most that the model can read: %.60s…",
                len(ids), longest, text,
            )  # fmt: skip
            ids = ids[: longest - 1] + ids[-1:]
        return tuple(ids)


def pad(
    texts: Sequence[Sequence[int]], pad_id: int
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.bool_]]]:
    """Pad texts to the longest; return ids and a mask, False at padding: (batch, longest) each."""
    lengths = np.array([len(text) for text in texts])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, pad_id, dtype=np.int64)
    ids[mask] = np.concatenate([np.asarray(text) for text in texts])
    return ids, mask


def chunks(lengths: Sequence[int], *, items: int, tokens: int) -> Iterator[list[int]]:
    """Group rows of similar length, the longest first, so that padding wastes little.

    >>> list(chunks([300, 9, 310, 8, 7], items=32, tokens=4096))
    [[2, 0], [1, 3, 4]]

    Args:
        lengths: Tokens of each row.
        items: Most rows of one chunk.
        tokens: Most tokens of one chunk, padding included; a longer row is alone.

    Yields:
        Indices into `lengths`.
    """
    chunk: list[int] = []
    used = 0
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        longest = lengths[chunk[0]] if chunk else lengths[row]
        taken, used = longest * (len(chunk) + 1), used + lengths[row]
        if chunk and (
            len(chunk) == items or taken > tokens or taken - used > max(_CHEAP_PADDING, taken // 4)
        ):
            yield chunk
            chunk, used = [], lengths[row]
        chunk.append(row)
    if chunk:
        yield chunk


def word_piece(words: list[str], *, lower_case: bool = True) -> Tokenizer:
    """Return BERT's tokenizer for a vocabulary in the order of `vocab.txt`."""
    ids = {word: number for number, word in enumerate(words)}
    missing = [word for word in ("[UNK]", "[CLS]", "[SEP]") if word not in ids]
    if missing:
        raise CheckpointError(f"vocab.txt lacks {', '.join(missing)}: it is not a BERT vocabulary.")
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower_case)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    return tokenizer
