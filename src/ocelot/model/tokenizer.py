"""Text to token ids, with the `tokenizers` package alone: no transformers import."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from ocelot.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TextTokenizer", "pad", "word_piece"]

log = logging.getLogger(__name__)


class TextTokenizer:
    """A tokenizer of the Hugging Face format that frames each text in its special tokens.

    Args:
        tokenizer: Adds [CLS] … [SEP] (or <s> … </s>) itself, neither cuts nor pads.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.tokenizer = tokenizer
        self.empty: tuple[int, ...] = tuple(tokenizer.encode("").ids)
        if len(self.empty) != 2:
            raise CheckpointError(
                "The tokenizer must frame a text in two special tokens ([CLS] and [SEP]); "
                f"it frames the empty text in {len(self.empty)}."
            )

    @classmethod
    def load(cls, folder: str | Path) -> TextTokenizer:
        """Read `tokenizer.json`, else `vocab.txt` (WordPiece), from a folder.

        Raises:
            CheckpointError: Neither is there, or it cannot be read.
        """
        folder = Path(folder)
        ready, vocabulary = folder / "tokenizer.json", folder / "vocab.txt"
        try:
            if ready.is_file():
                return cls(Tokenizer.from_file(str(ready)))
            if vocabulary.is_file():
                # Not splitlines: a word may hold one of Unicode's other line ends.
                words = vocabulary.read_text(encoding="utf-8").removesuffix("\n").split("\n")
                return cls(word_piece(words, lower_case=_lower_case(folder)))
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
        """Token ids of a text, cut to `longest` (special tokens included) with a warning."""
        if text is None:
            return self.empty
        ids = self.tokenizer.encode(text).ids
        if len(ids) > longest:
            log.warning(
                "A text of %d tokens was cut to %d, all that the model can read: %.60s…",
                len(ids), longest, text,
            )  # fmt: skip
            ids = ids[: longest - 1] + ids[-1:]
        return tuple(ids)


def pad(texts: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Rows of equal length, and where their tokens are.

    Returns:
        ids, shape (batch, longest), and mask, bool of that shape, false at padding.
    """
    import torch  # not for tokenising alone: importing it takes a second

    longest = max(map(len, texts))
    ids = torch.tensor([[*text, *([pad_id] * (longest - len(text)))] for text in texts])
    lengths = torch.tensor([len(text) for text in texts])
    return ids, torch.arange(longest) < lengths[:, None]


def word_piece(words: list[str], *, lower_case: bool = True) -> Tokenizer:
    """BERT's tokenizer over a vocabulary in the order of `vocab.txt`."""
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


def _lower_case(folder: Path) -> bool:
    config = folder / "tokenizer_config.json"
    if not config.is_file():
        return True
    return bool(json.loads(config.read_text(encoding="utf-8")).get("do_lower_case", True))
