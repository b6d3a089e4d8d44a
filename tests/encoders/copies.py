"""Copies of the bundled encoder with other settings and weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from ocelot.encoders.openvino.encoder import OpenVINOEncoder
from ocelot.encoders.vista import VistaEncoder
from ocelot.encoders.visualized_bge import VisualizedBGE
from ocelot.encoders.weights import locate


def load(kind: type[VistaEncoder], folder: Path) -> VistaEncoder:
    if kind is OpenVINOEncoder:
        return OpenVINOEncoder.load(folder, precision="fp32")
    return VisualizedBGE.load(folder, device="cpu", dtype="fp32")


def copied(
    folder: Path, weights: Mapping[str, np.ndarray | None] | None = None, **config: object
) -> Path:
    """Write a copy; None takes a weight or a setting away."""
    shutil.copytree(locate("ocelot-tiny").weights.parent, folder)
    file, weights_file = folder / "config.json", folder / "model.safetensors"
    settings = json.loads(file.read_text()) | config
    file.write_text(json.dumps({name: v for name, v in settings.items() if v is not None}))
    state = load_file(weights_file) | (weights or {})
    save_file({name: value for name, value in state.items() if value is not None}, weights_file)
    return folder


def readings_alone(folder: Path, share_logits: np.ndarray | None = None, **config: object) -> Path:
    """Write a copy without an instance part, and with another share of the picture's own vector."""
    weights = {"instance.weight": None, "instance.bias": None, "share_logits": share_logits}
    return copied(folder, weights, **{"instance": None} | config)
