"""Small random models in the format of sentence-transformers, made on the spot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sentence_transformers", reason="the extra st is not installed")

import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoProcessor,
    CLIPConfig,
    CLIPModel,
    CLIPProcessor,
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
    Qwen2VLModel,
    Qwen2VLProcessor,
    logging,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.processing_utils import ProcessorMixin

logging.disable_progress_bar()

_WORDS = [
    "a", "blue", "red", "green", "kettle", "dog", "shoe", "with", "in", "on", "find", "system",
    "user", "query", "document",
]  # fmt: skip
_VISION = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
_TEMPLATE = (
    "{% for message in messages %}<|im_start|> {{ message.role }} "
    "{% for part in message.content %}"
    "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %} {{ part.text }}{% endif %}{% endfor %} <|im_end|>{% endfor %}"
)


def make_clip(folder: Path, seed: int = 0) -> Path:
    """A plain CLIP of transformers."""
    torch.manual_seed(seed)
    tokenizer = _tokenizer(["<pad>", "<s>", "</s>"], pad_token="<pad>", eos_token="</s>")
    tokenizer.model_max_length = 16
    tower = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }  # fmt: skip
    text = {"vocab_size": len(tokenizer), "max_position_embeddings": 16, "eos_token_id": 2}
    vision = {"image_size": 32, "patch_size": 8}
    config = CLIPConfig(text_config=tower | text, vision_config=tower | vision, projection_dim=24)
    CLIPModel(config).save_pretrained(folder)
    images = CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    CLIPProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def make_bge_vl(folder: Path) -> Path:
    """CLIP with the files of BGE-VL's repository, whose code must not be run."""
    make_clip(folder, seed=1)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "modeling_MMRet_CLIP.CLIPModel"}
    _write(folder / "config.json", config)
    modules = [
        ("", "bge_vl_clip_transformer.BGEVLCLIPTransformer"),
        ("1_Normalize", "sentence_transformers.models.Normalize"),
    ]
    _write(
        folder / "modules.json",
        [
            {"idx": number, "name": str(number), "path": path, "type": kind}
            for number, (path, kind) in enumerate(modules)
        ],
    )
    for module in ("modeling_MMRet_CLIP", "bge_vl_clip_transformer"):
        (folder / f"{module}.py").write_text("raise SystemExit('the code was run')\n")
    return folder


def make_qwen(folder: Path, prompts: dict[str, str] | None = None) -> Path:
    """An encoder of the Qwen-VL kind with a chat template, last-token pooling and prompts."""
    backbone = _qwen(folder.with_name(f"{folder.name}-backbone"))
    pooling = Pooling(backbone.get_embedding_dimension(), pooling_mode="lasttoken")
    modules = [backbone, pooling, Normalize()]
    SentenceTransformer(modules=modules, device="cpu", prompts=prompts).save(str(folder))
    return folder


def make_reranker(folder: Path) -> Path:
    """A cross-encoder of the Qwen-VL kind."""
    backbone = _qwen(folder.with_name(f"{folder.name}-backbone"))
    width = backbone.get_embedding_dimension()
    head = Dense(
        width, 1, module_input_name="sentence_embedding", module_output_name="scores",
        activation_function=torch.nn.Identity(),
    )  # fmt: skip
    modules = [backbone, Pooling(width, pooling_mode="lasttoken"), head]
    CrossEncoder(modules=modules, device="cpu").save_pretrained(str(folder))
    return folder


class _ImagesOnly(Qwen2VLProcessor):
    """The processor of Qwen2-VL without that of videos, which would need torchvision."""

    def __init__(
        self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None
    ) -> None:
        self.image_token, self.video_token = _VISION[2:]
        ids = tokenizer.convert_tokens_to_ids(_VISION[2:])
        self.image_token_id, self.video_token_id = ids
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)


def _qwen(folder: Path) -> Transformer:
    torch.manual_seed(2)
    AutoProcessor.register(Qwen2VLConfig, _ImagesOnly, exist_ok=True)
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *_VISION]
    tokenizer = _tokenizer(special, pad_token="<|endoftext|>", eos_token="<|im_end|>")
    tokenizer.model_max_length = 256
    start, end, image, video = tokenizer.convert_tokens_to_ids(_VISION)
    config = Qwen2VLConfig(
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "max_position_embeddings": 256, "pad_token_id": 0,
            "rope_parameters": {
                "rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10_000.0,
            },
        },
        vision_config={
            "depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2,
        },
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )  # fmt: skip
    Qwen2VLModel(config).save_pretrained(folder)
    images = Qwen2VLImageProcessorPil(min_pixels=2 * 28 * 28, max_pixels=8 * 28 * 28)
    _ImagesOnly(images, tokenizer, chat_template=_TEMPLATE).save_pretrained(folder)
    return Transformer(str(folder))


def _tokenizer(special: Sequence[str], **roles: str) -> Any:
    """A word on each entry; the first and last special tokens around a text where it is CLIP."""
    vocabulary = {word: number for number, word in enumerate([*special, "<unk>", *_WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    if "<s>" in vocabulary:
        ends = [("<s>", vocabulary["<s>"]), ("</s>", vocabulary["</s>"])]
        words.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=ends
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", additional_special_tokens=list(special), **roles
    )


def _write(file: Path, table: Any) -> None:
    file.write_text(json.dumps(table))
