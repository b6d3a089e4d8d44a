"""Speed of encoding pictures from files: the tutorial's loop and Ocelot's encoders.

    python benchmarks/encoding.py [--models base tiny] [--pictures DIR] [--device cuda] [--quick]

"base" and "m3" have the published models' geometry with random weights, "tiny" is the bundled
encoder.
Times include decoding and resizing; on a GPU, which waits for that, the network is also measured
alone. Its matrix products are counted (FLOP) and compared with the rate that the machine reaches in
one large product.
"""

from __future__ import annotations

import argparse
import tempfile
import timeit
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from models import named_checkpoint
from shop import write_catalogue
from torch.utils.flop_counter import FlopCounterMode
from turns import Side, compared, in_turns, report
from tutorial import Tutorial, check

from ocelot.build import build_encoder
from ocelot.encoders import VisualizedBGE
from ocelot.encoders.base import Encoder, as_input
from ocelot.encoders.runtime import choose_device, choose_dtype
from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Checkpoint, write_like
from ocelot.model.visualized_bge import build
from ocelot.settings import load_settings

# Model -> pictures and counted rounds, and the same with --quick.
SIZES = {"base": ((24, 4), (8, 1)), "m3": ((16, 3), (4, 1)), "tiny": ((256, 5), (96, 2))}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def formats(device: str) -> list[str]:
    """The number formats that the hardware has; where it emulates bf16, that takes minutes."""
    best = choose_dtype(None, choose_device(device))
    return ["fp32", "bf16"] if best == torch.bfloat16 else ["fp32"]


def matmul_rate(dtype: torch.dtype, device: str) -> float:
    """Return operations per second in one large matrix product: the best of eight."""
    n = 8192 if device.startswith("cuda") else 2048
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    return _rate(lambda: (a @ b)[0, 0].item(), n)  # reading a number waits for the GPU


def int8_rate() -> float:
    """The same for a product of int8 numbers in OpenVINO, which quantises one of the matrices."""
    import openvino
    from openvino import opset8 as ops

    n = 2048
    numbers = np.random.default_rng(0).uniform(-1, 1, (n, n)).astype(np.float32)
    low, high = (ops.constant(np.float32(end)) for end in (-1, 1))
    given = ops.parameter([n, n], np.float32)
    a, b = (
        ops.fake_quantize(matrix, low, high, low, high, levels)
        for matrix, levels in ((given, 256), (ops.constant(numbers), 255))
    )
    product = openvino.Model([ops.matmul(a, b, False, True)], [given], "product")
    run = openvino.Core().compile_model(product, "CPU")
    return _rate(lambda: run([numbers]), n)


def _rate(product: Callable[[], object], n: int) -> float:
    """Operations per second of a product of two n x n matrices: the best of eight."""
    return 2 * n**3 / min(timeit.repeat(product, number=1, repeat=8))


def work(encoder: VisualizedBGE, picture: Path) -> int:
    """Return the operations in matrix products and convolutions for one picture."""
    with FlopCounterMode(display=False) as counter:
        encoder.encode([(picture, None)])
    return int(counter.get_total_flops())


def encoders(folder: str, device: str, pictures: Sequence[Path]) -> Iterator[tuple[str, Encoder]]:
    """Yield every precision of every backend; print which cannot be used."""
    for precision in formats(device):
        loaded = VisualizedBGE.load(folder, device=device, dtype=precision)
        yield loaded.runtime, loaded
    if device != "cpu":
        return
    for precision in ("fp32", "bf16", "int8"):
        settings = load_settings(encoder=folder, backend="openvino", precision=precision)
        try:
            yield f"openvino {precision}", build_encoder(settings, pictures)
        except ConfigurationError as error:
            print(f"openvino {precision} is left out: {error}")


def measure(
    name: str, checkpoint: Checkpoint, pictures: list[Path], rounds: int, args: argparse.Namespace
) -> None:
    """Measure one model in turns; add cosines with fp32 and shares of the machine's rate."""
    items = [(picture, None) for picture in pictures]
    check(checkpoint, pictures[:2])
    plain = Tutorial(checkpoint, args.device)
    sides = [Side("tutorial's loop", lambda: [plain.encode(picture) for picture in pictures])]
    cosines: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as kept:
        folder = write_like(Path(kept, name), build(checkpoint), checkpoint)
        exact: np.ndarray | None = None
        for label, encoder in encoders(str(folder), args.device, pictures):
            sides.append(Side(label, partial(encoder.encode, items)))
            vectors = encoder.encode(items)
            if exact is None:
                exact = vectors
                assert isinstance(encoder, VisualizedBGE)
                flops = work(encoder, pictures[0])
            found = np.sum(vectors * exact, axis=1)
            cosines[label] = [round(float(of(found)), 5) for of in (np.median, np.min, np.max)]
            if args.device != "cpu":
                prepared = [encoder.prepare(as_input(item)) for item in items]
                sides.append(Side(f"{label}, network alone", partial(encoder.embed, prepared)))
        seconds = in_turns(sides, rounds)
    rates = {dtype: matmul_rate(DTYPES[dtype], args.device) for dtype in formats(args.device)}
    if args.device == "cpu":
        rates["int8"] = int8_rate()
    rows = compared(seconds, len(pictures))
    for row, (label, spent) in zip(rows, seconds.items(), strict=True):
        dtype = next((dtype for dtype in rates if dtype in label), "fp32")
        reached = flops * len(pictures) / float(np.median(spent)) / rates[dtype]
        row["of the peak"] = f"{reached:.0%}"
        row["cosine with fp32"] = cosines.get(label)
    notes = {
        "pictures": len(pictures),
        "GFLOP a picture": round(flops / 1e9, 2),
        **{f"peak {dtype}, GFLOP/s": round(rate / 1e9) for dtype, rate in rates.items()},
    }
    place = args.device if "bf16" in rates else f"{args.device} without bf16"
    report(f"Encoding with {name} on {place}", rows, notes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=list(SIZES), default=["base", "tiny"])
    parser.add_argument("--pictures", type=Path, help="a folder; drawn when not given")
    parser.add_argument("--count", type=int, help="pictures of each model")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quick", action="store_true", help="a minute instead of five")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = args.pictures
        if source is None:
            most = args.count or max(SIZES[name][args.quick][0] for name in args.models)
            write_catalogue(Path(folder), most)
            source = Path(folder, "images")
        files = sorted(file for file in source.iterdir() if file.is_file())
        for name in args.models:
            count, rounds = SIZES[name][args.quick]
            pictures = files[: args.count or count]
            measure(name, named_checkpoint(name), pictures, args.rounds or rounds, args)


if __name__ == "__main__":
    main()
