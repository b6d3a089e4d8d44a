"""Encoders of the library sentence-transformers: CLIP, SigLIP, Qwen-VL, BGE-VL and others."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ocelot.encoders.base import Encoder, Matrix
from ocelot.encoders.catalog import CATALOG
from ocelot.encoders.runtime import DTYPE_NAMES, choose_device, choose_dtype
from ocelot.errors import CheckpointError, ConfigurationError, EncoderError
from ocelot.images.decode import hash_bytes
from ocelot.model.pretrained import (
    MAX_PIXELS,
    Pretrained,
    bounded,
    first_sentence,
    loading,
    locate,
    plain,
    refuse_code,
)
from ocelot.types import Input

if TYPE_CHECKING:
    from PIL import Image
    from sentence_transformers import SentenceTransformer

__all__ = ["SentenceTransformerEncoder"]

_LARGE = 10**9  # parameters, from which on fewer inputs run at once
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")  # as the library looks for them


class Prepared(NamedTuple):
    """One input, ready for the library."""

    image: Image.Image | None
    text: str | None
    is_query: bool


class SentenceTransformerEncoder(Encoder):
    """A model of sentence-transformers that takes pictures and words.

    The library gets dictionaries of PIL images and texts, never bare texts: it would open those
    that name a file or a URL. Inputs of one kind run together.

    A model that takes a picture with words as one input encodes both together. The vector of any
    other (CLIP, SigLIP) is a weighted sum of those of the picture and of the words. BGE-VL
    (MegaPairs, arXiv 2412.14475) is CLIP, trained for the plain sum of both features.

    Queries and stored pictures have prompts of their own, the model's. The library leaves out the
    prompt of a picture with words where a model has no chat template: here it goes before the
    words.

    Args:
        model: In inference mode, on its device.
        name: For people.
        revision: Identifies the weights.
        instruction: What queries look for, instead of the model's own prompt for queries.
        max_pixels: Larger pictures are made smaller.
        text_weight: What words count in a weighted sum, 0 to 1; the picture counts the rest.
        normalise: Whether the parts of a sum are normalised.

    Raises:
        ConfigurationError: The model does not take both pictures and words.
        CheckpointError: The length of its vectors is not known.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        name: str,
        revision: str,
        instruction: str | None = None,
        max_pixels: int = MAX_PIXELS,
        text_weight: float = 0.5,
        normalise: bool = True,
    ) -> None:
        for kind in ("image", "text"):
            if not model.supports(kind):
                taken = ", ".join(map(str, model.modalities))
                raise ConfigurationError(
                    f"The encoder {name} takes no {kind} (it takes: {taken}): choose a model of "
                    "pictures and words."
                )
        dimension = model.get_embedding_dimension()
        if dimension is None:
            raise CheckpointError(f"The length of the vectors of {name} is not known.")
        self._model, self._lock = model, threading.Lock()
        self._max_pixels, self._normalise = max_pixels, normalise
        self._weights = {"image": 1 - text_weight, "text": text_weight}
        self._is_joint = model.supports(("image", "text"))
        self._has_chat = model.supports("message")
        prompts = model.prompts
        document = next((prompts[key] for key in _DOCUMENT_PROMPTS if key in prompts), "")
        query = prompts.get("query", "") if instruction is None else instruction
        self._prompts = {True: query, False: document}
        self.name, self.dimension = name, dimension
        self.batch_size = 32 if sum(p.numel() for p in model.parameters()) < _LARGE else 4
        self.runtime = f"torch {DTYPE_NAMES.get(model.dtype, str(model.dtype))}"
        if not self._is_joint:
            self.text_weight = text_weight if normalise else None
            self.runtime += ", picture with words: " + ("weighted sum" if normalise else "sum")
        # The weight of words is left out: it changes no stored vector, and can be tried freely.
        # Of versions only the first number counts: others are not meant to change vectors.
        libraries = ("sentence-transformers", "transformers")
        versions = [version(library).partition(".")[0] for library in libraries]
        facts = [revision, query, document, max_pixels, dimension, normalise, versions]
        self.fingerprint = hash_bytes(json.dumps(facts).encode())

    @classmethod
    def load(
        cls,
        name_or_path: str | Path,
        *,
        instruction: str | None = None,
        max_pixels: int = MAX_PIXELS,
        dimension: int | None = None,
        text_weight: float = 0.5,
        device: str | None = None,
        dtype: str | None = None,
    ) -> SentenceTransformerEncoder:
        """Load a model by name or from a folder.

        Args:
            name_or_path: A name of `ocelot encoders`; or "st:" and a folder, NAME, OWNER/NAME or
                OWNER/NAME@REVISION on the Hugging Face hub.
            instruction, max_pixels, text_weight: As of the class.
            dimension: Length that the vectors are cut to; for models that were trained for it
                (Matryoshka representation learning, arXiv 2205.13147).
            device: "cpu", "cuda", "mps", …; by default the best one there is.
            dtype: "fp32", "bf16" or "fp16"; by default bf16 where the hardware has it.

        Raises:
            ConfigurationError: The extra `st` is not installed, or an argument cannot be used, or
                the model needs code that comes with it.
            CheckpointError: There is no such model, or it cannot be loaded.
            DownloadError: The hub cannot be reached.
        """
        name = str(name_or_path)
        known = CATALOG.get(name)
        where = choose_device(device)
        number = choose_dtype(dtype, where)
        with loading(f"the encoder {name}"):
            from sentence_transformers import SentenceTransformer

            repository = known.repository if known else name.removeprefix("st:")
            found = locate(repository, "sentence-transformers")
            arguments: dict[str, Any] = {
                "model_kwargs": {"dtype": number, "use_safetensors": True, "local_files_only": True}
            }
            if is_bge_vl := _is_bge_vl(found):
                # Its own classes only add a sum to CLIP: they are not needed.
                arguments = {"modules": [_clip(found, **arguments)]}
            else:
                refuse_code(found, f"the encoder {name}")
                arguments |= {"model_name_or_path": str(found.folder), "local_files_only": True}
            model = SentenceTransformer(**arguments, device=str(where))
        full = model.get_embedding_dimension()
        if dimension is not None and full is not None and dimension > full:
            raise ConfigurationError(
                f"The vectors of the encoder {name} have {full} numbers, not {dimension}: set "
                f"encoder_dimension to {full} at most, or leave it out."
            )
        model.truncate_dim = dimension
        return cls(
            model.eval(),
            name=name if known else f"st:{found.name}",
            revision=found.revision,
            instruction=instruction,
            max_pixels=max_pixels,
            text_weight=text_weight,
            normalise=not is_bge_vl,
        )

    def prepare(self, input: Input) -> Prepared:
        """Decode one input and make its picture smaller; thread-safe."""
        image = None
        if input.image is not None:
            image = bounded(input.image.rgb(), input.image.name, self._max_pixels)
        text = None if input.text is None else plain(input.text, self._model.tokenizer)
        return Prepared(image, text, input.is_query)

    def embed(self, batch: Sequence[Prepared]) -> Matrix:
        """Return the vectors in the order of the batch; `EncoderError` if the library fails."""
        groups = defaultdict(list)
        for row, one in enumerate(batch):
            given = {"image": one.image, "text": one.text}
            content = {kind: value for kind, value in given.items() if value is not None}
            parts = [(1.0, content)]
            if len(content) == 2 and not self._is_joint:
                parts = [(self._weights[kind], {kind: value}) for kind, value in content.items()]
            for weight, part in parts:
                groups[tuple(part), one.is_query].append((row, weight, part))
        vectors = np.zeros((len(batch), self.dimension), dtype=np.float32)
        for (_, is_query), group in groups.items():
            encoded = self._run([part for _, _, part in group], is_query)
            if self._normalise:
                encoded /= np.linalg.norm(encoded, axis=1, keepdims=True)
            for (row, weight, _), vector in zip(group, encoded, strict=True):
                vectors[row] += weight * vector
        return vectors

    def _run(self, contents: list[dict[str, Any]], is_query: bool) -> Matrix:
        """Encode inputs of one kind, shape (n, dimension)."""
        prompt = self._prompts[is_query]
        if prompt and not self._has_chat and len(contents[0]) == 2:
            contents = [one | {"text": prompt + one["text"]} for one in contents]
        encode = self._model.encode_query if is_query else self._model.encode_document
        try:
            with self._lock:
                found = encode(
                    contents, prompt=prompt, batch_size=len(contents), show_progress_bar=False
                )
        except Exception as error:
            cause = f"{type(error).__name__}: {first_sentence(error)}"
            raise EncoderError(
                f"The encoder {self.name} failed ({cause}): use a smaller batch "
                "(--batch-size) or a smaller OCELOT_ENCODER_MAX_PIXELS."
            ) from error
        return np.array(found, dtype=np.float32)


def _is_bge_vl(found: Pretrained) -> bool:
    """Whether this is BGE-VL-base or -large, by the classes that its files name."""
    config = found.read("config.json") or {}
    return config.get("model_type") == "clip" and (
        "MMRet_CLIP" in str(config.get("auto_map")) or "BGEVLCLIP" in str(found.modules())
    )


def _clip(found: Pretrained, *, model_kwargs: dict[str, Any]) -> Any:
    """CLIP as the library loads it, without the normalisation that would follow."""
    from sentence_transformers.base.modules import Transformer

    local = {"local_files_only": True}
    return Transformer(
        str(found.folder), model_kwargs=model_kwargs, processor_kwargs=local, config_kwargs=local
    )
