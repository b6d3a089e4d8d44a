"""Rerank with a cross-encoder of sentence-transformers, which sees the query and a hit together."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from ocelot.errors import ConfigurationError, ImageError, ItemNotFound
from ocelot.images.store import ImageStore
from ocelot.model.pretrained import bounded, first_sentence, loading, locate, plain, refuse_code
from ocelot.rerankers.base import not_judged
from ocelot.types import Hit, Query, Ranking
from ocelot.words import count

if TYPE_CHECKING:
    from PIL import Image
    from sentence_transformers import CrossEncoder

__all__ = ["CrossEncoderReranker"]

_SIDE = 1024  # pixels that the model sees of a picture's longer side
_BATCH = 8  # pairs that are scored at once
_HALF = {"bf16": "bfloat16", "fp16": "float16"}


class CrossEncoderReranker:
    """Orders hits by the scores of a model such as Qwen3-VL-Reranker.

    The model sees the query (picture, words or both) with one hit's picture at a time. Of a query
    with several pictures, each is scored with the words, and the mean counts. A hit whose picture
    cannot be read comes after the others. If the model fails, retrieval order stays.

    Args:
        model: One that takes pictures and gives one score.
        images: Where the hits' pictures are read from.
    """

    def __init__(self, model: CrossEncoder, *, name: str, images: ImageStore | None = None) -> None:
        if not model.supports(("image", "text")):
            raise ConfigurationError(
                f"The reranker {name} takes no picture together with words: choose a cross-encoder "
                "of both, such as Qwen/Qwen3-VL-Reranker-2B."
            )
        if model.num_labels != 1:
            raise ConfigurationError(
                f"The reranker {name} gives {model.num_labels} numbers for a pair, not one score: "
                "choose another cross-encoder."
            )
        self.name, self._images = name, images or ImageStore()
        self._model, self._lock = model, threading.Lock()

    @classmethod
    def load(
        cls,
        name_or_path: str,
        *,
        images: ImageStore | None = None,
        device: str | None = None,
        dtype: str | None = None,
    ) -> CrossEncoderReranker:
        """Load a model from a folder or from the hub: OWNER/NAME or OWNER/NAME@REVISION.

        Args:
            device: By default the best one there is.
            dtype: "fp32", "bf16" or "fp16"; by default fp32, as close scores are equal in others.

        Raises:
            ConfigurationError: The extra `st` is not installed, or the model cannot be used.
            CheckpointError: There is no such model, or it cannot be loaded.
            DownloadError: The hub cannot be reached.
        """
        what = f"the reranker {name_or_path}"
        with loading(what):
            from sentence_transformers import CrossEncoder

            found = locate(name_or_path, "cross-encoder")
            refuse_code(found, what)
            kwargs = {"dtype": _HALF.get(dtype or "", "float32"), "use_safetensors": True}
            folder = str(found.folder)
            model = CrossEncoder(folder, device=device, local_files_only=True, model_kwargs=kwargs)
        return cls(model.eval(), name=found.name.rpartition("/")[2], images=images)

    def rerank(self, query: Query, hits: Sequence[Hit]) -> Ranking:
        """Order `hits` by score; see `ocelot.rerankers.base.Reranker`."""
        if not hits:
            return Ranking((), "There was nothing to rank.", self.name)

        def failed(cause: str) -> Ranking:
            return not_judged(hits, self.name, f"{self.name} failed: {cause}.")

        pictures: dict[int, Image.Image] = {}
        for number, hit in enumerate(hits):
            with suppress(ImageError, ItemNotFound):
                pictures[number] = bounded(self._images.picture(hit, _SIDE), hit.path)
        if not pictures:
            return failed("no picture of the hits can be read")
        try:
            scores = self._scores(query, list(pictures.values()))
        except ImageError as error:
            return failed(str(error).rstrip("."))
        except Exception as error:
            return failed(f"{type(error).__name__}: {first_sentence(error)}")
        if not np.isfinite(scores).all():
            return failed("it gave scores that are not numbers")
        ranked = np.argsort(-scores, kind="stable")  # equal scores keep retrieval order
        order = [list(pictures)[place] for place in ranked]
        unseen = [number for number in range(len(hits)) if number not in pictures]
        reason = f"{self.name} scores it {scores[ranked[0]]:.3f}"
        if len(order) > 1:
            reason += f", the highest of {len(order)}; the next has {scores[ranked[1]]:.3f}"
        reason += f". The search had it in place {order[0] + 1} of {len(hits)}."
        return Ranking(
            (*order, *unseen),
            reason,
            self.name,
            status="repaired" if unseen else "ok",
            detail=f"{count(len(unseen))} could not be read" if unseen else "",
        )

    def _scores(self, query: Query, pictures: Sequence[Image.Image]) -> np.ndarray[Any, Any]:
        """The mean score of each picture over the inputs of the query, shape (pictures,)."""
        # Dictionaries, as the library would open a bare text that names a file or a URL.
        asked: list[dict[str, Any]] = []
        for input in query.inputs():
            content: dict[str, Any] = {}
            if input.image is not None:
                content["image"] = bounded(input.image.rgb(_SIDE), input.image.name, _SIDE**2)
            if input.text is not None:
                content["text"] = plain(input.text, self._model.tokenizer)
            asked.append(content)
        pairs = [(one, {"image": picture}) for one in asked for picture in pictures]
        with self._lock:
            found = self._model.predict(pairs, batch_size=_BATCH, show_progress_bar=False)
        scores = np.asarray(found, dtype=np.float32).reshape(len(asked), len(pictures))
        return np.asarray(scores.mean(axis=0))
