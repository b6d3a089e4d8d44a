"""Adapt an encoder to a catalogue: measure, train, measure again, keep what is better."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocelot.adapting.columns import Columns
from ocelot.adapting.language import read_language
from ocelot.adapting.measure import Answer, Figure, answered, asked, calibrated, compare, triplets
from ocelot.adapting.questions import Asker, held_out_questions
from ocelot.adapting.report import write_page
from ocelot.adapting.understand import understand
from ocelot.errors import ConfigurationError, InputError, requires_extra
from ocelot.files import remove, write_atomic
from ocelot.images.decode import hash_bytes
from ocelot.score_calibration import write_score_calibration
from ocelot.settings import load_settings

if TYPE_CHECKING:
    from ocelot.evaluation.run import Run
    from ocelot.model.checkpoint import Checkpoint
    from ocelot.training.config import TrainConfig

__all__ = ["Adaptation", "adapt", "verdict"]

_LEAST_TRAINED, _LEAST_ASKED = 60, 30  # pictures and questions without which nothing is learned
_MEASURED = 2000  # pictures, and
_QUESTIONS = 400  # of each task, that are measured
_CHECK_EVERY = 40  # steps from one look at the watched part to the next
_NEW_WORDS, _LEAST_OF_A_WORD = 2000, 8
# Of small encoders with a convolutional tower, and of others.
_PICTURES_PER_CORE, _PICTURES_ON_GPU = (96, 16), (384, 128)
_LEARNING_RATES = 5e-4, 2e-5


@dataclass(frozen=True)
class Adaptation:
    """What came of it.

    Attributes:
        reason: Why the encoder is kept, or why not, in a sentence.
        encoder: Folder of the adapted encoder; None if nothing is better than before.
        report: The report as a page; None if nothing was trained.
        understood: What was understood from the metadata, line by line.
        figures: Before and after, by the kind of question; the last is their mean.
        minutes: Time that training took.
    """

    reason: str
    encoder: Path | None = None
    report: Path | None = None
    understood: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    minutes: float = 0.0


def adapt(
    folder: str | Path,
    *,
    metadata: str | Path | None = None,
    encoder: str | Path = "ocelot-tiny",
    text_model: str | Path | None = None,
    minutes: float = 10,
    steps: int | None = None,
    output: str | Path | None = None,
    title: str | None = None,
    attributes: Sequence[str] | None = None,
    kind: str | None = None,
    group_by: str | None = None,
    language: str | None = None,
    describe: int = 0,
    device: str | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda line: None,
    **settings: Any,
) -> Adaptation:
    """Adapt an encoder to the pictures of a folder and their metadata.

    Run it again with the same arguments to go on after an interruption.

    Args:
        metadata: The file; by default `metadata.csv`, `.jsonl` or `.parquet` in the folder.
        encoder, text_model: Any encoder that `ocelot train` takes.
        minutes: Of training, without the measurements before and after.
        steps: Train so many steps instead, whatever time they take.
        output: Folder of the result; by default the name of the pictures' with `-encoder`.
        title, attributes, kind, group_by: Columns that are not what they seem.
        language: A code such as "it", or a file; by default it is found by the words.
        describe: The most calls to the vision model that reranks, which describes the pictures
            in place of metadata; what it answered before costs no call.
        say: Called with each line of what happens.
        settings: Of the vision model, such as `llm_model`; see `ocelot.settings.Settings`.

    Raises:
        ConfigurationError: The output holds something else, the encoder cannot be trained, or a
            setting is wrong.
        InputError: There is no such folder or language, or there are too few pictures to describe.
        MetadataError: There is no metadata, or no such column.
        RerankError: The vision model cannot go on; what it has described is kept.
        OSError: The output cannot be written to.
    """
    folder = Path(os.path.abspath(Path(folder).expanduser()))
    output = Path(output or f"{folder.name}-encoder")
    if not minutes > 0 or (steps is not None and steps <= 0) or describe < 0:
        raise InputError("The minutes (or steps, or calls) must be more than 0.")
    if describe and metadata is not None:
        raise InputError("Pictures are described in place of metadata: give one of both.")
    if str(encoder).startswith("st:"):
        raise ConfigurationError(
            f"{encoder} cannot be trained: take ocelot-tiny, a published Visualized BGE, or a "
            "folder that `ocelot train` or `ocelot adapt` wrote."
        )
    chosen = load_settings(**settings)
    with requires_extra("train", "ocelot adapt"):
        from ocelot.adapting.designs import with_designs
        from ocelot.adapting.share import fit_share
        from ocelot.adapting.source import CatalogueSource
        from ocelot.encoders.visualized_bge import VisualizedBGE
        from ocelot.encoders.weights import load_checkpoint
        from ocelot.model.checkpoint import read_folder
        from ocelot.training.loop import train
        from ocelot.training.report import read
    initial = load_checkpoint(encoder, text_model)
    columns = Columns(title, None if attributes is None else tuple(attributes), kind, group_by)
    if describe:
        from ocelot.adapting.neighbours import described

        spoken = read_language(language or "en")
        loaded = VisualizedBGE(initial, device=device)
        least = _LEAST_TRAINED
        catalogue = described(folder, loaded, chosen, describe, least, columns, spoken, say)
    else:
        named = None if metadata is None else Path(metadata)
        catalogue = understand(folder, named, columns, language)
    for line in catalogue.lines():
        say(line)
    asker, rows = Asker(catalogue), catalogue.part("measure")[:_MEASURED]
    questions = held_out_questions(asker, rows, _QUESTIONS)
    if problem := _problem(len(catalogue.part("train")), len(questions)):
        return Adaptation(f"{problem} Nothing was changed.", understood=(*catalogue.lines(),))

    _begin(output, repr([catalogue, initial.fingerprint, minutes, steps, seed]))
    queries = triplets(asker, rows, questions)

    def ask(encoder: VisualizedBGE) -> Run:
        say(f"asking {encoder.name} {len(queries):,} questions about {len(rows):,} pictures")
        return asked(encoder, folder, rows, queries)

    stored = _read(output, "before")
    if stored and len(stored) == len(questions):
        before = [Answer(value, tuple(names)) for value, names in stored]
    else:
        before = answered(ask(VisualizedBGE(initial, device=device)), questions)
        _write(output, "before", [(one.value, one.names) for one in before])
    config = _config(initial, f"{initial.name}-{folder.name}", minutes, steps, device, seed)
    source = CatalogueSource(catalogue, asker, config.data.batch_size, seed)
    say(f"training with batches of {config.data.batch_size} pictures")
    training = output / "training"
    written = train(
        config,
        source,
        training,
        initial=_with_new_words(initial, source.texts()),
        device=device,
        progress=lambda line: say(str(line)),
    )
    trained = with_designs(read_folder(written), catalogue.part("train"))
    written = fit_share(trained, training / "shared", initial.geometry, asker)
    run = ask(VisualizedBGE.load(written, device=device))
    after = answered(run, questions)
    figures = compare(questions, before, after)
    reason, better = verdict(figures)
    kept = output / "encoder"
    result = Adaptation(
        reason,
        kept if better else None,
        output / "report.html",
        tuple(catalogue.lines()),
        tuple(figures),
        round(read(training)[-1].minutes, 1),
    )
    write_page(result, catalogue, folder, queries, before, after, initial.name)
    if better:
        if calibration := calibrated(run, rows):
            write_score_calibration(written, calibration)
        remove(kept)  # of a run that was stopped before its report
        written.rename(kept)
    _write(output, "report", asdict(result))
    for name in ("state.pt", "encoder", "shared"):
        remove(training / name)
    return result


def _problem(trained: int, asked: int) -> str:
    """Why nothing can be learned, or ""."""
    if trained < _LEAST_TRAINED:
        return f"There are {trained} pictures to learn from, and {_LEAST_TRAINED} are needed."
    if asked < _LEAST_ASKED:
        return (
            f"The metadata gives {asked} questions to measure with, and {_LEAST_ASKED} are needed: "
            "it must have titles, kinds or colours that differ; name the columns with --title, "
            "--kind and --attributes."
        )
    return ""


def _begin(output: Path, asked: str) -> None:
    """Begin a run, go on with one that was interrupted, or begin anew where nothing was kept."""
    identity = hash_bytes(asked.encode())
    if known := _read(output, "run"):
        finished = (output / "report.json").exists()
        if finished and (output / "encoder").exists():
            raise ConfigurationError(
                f"{output} holds a finished adaptation, and its encoder may be in use: choose "
                "another --output, or delete it."
            )
        if not finished and known != {"identity": identity}:
            raise ConfigurationError(
                f"{output} holds an adaptation with other options, pictures or metadata: choose "
                "another --output, or delete it."
            )
        if finished:
            for name in ("before.json", "report.json", "report.html", "training"):
                remove(output / name)
    elif output.is_dir() and any(output.iterdir()):
        raise ConfigurationError(
            f"{output} holds something else: choose another --output, or delete it."
        )
    _write(output, "run", {"identity": identity})


def _read(output: Path, name: str) -> Any:
    file = output / f"{name}.json"
    with suppress(ValueError):
        return json.loads(file.read_bytes()) if file.is_file() else None


def _write(output: Path, name: str, value: Any) -> None:
    text = json.dumps(value, default=str, ensure_ascii=False, indent=1)
    write_atomic(output / f"{name}.json", text.encode())


def _with_new_words(initial: Checkpoint, texts: Sequence[str]) -> Checkpoint:
    """The encoder with words of its own for those that the catalogue has often."""
    from ocelot.training.start import with_words
    from ocelot.training.vocabulary import extend_tokenizer

    tokenizer = extend_tokenizer(initial.tokenizer, texts, most=_NEW_WORDS, least=_LEAST_OF_A_WORD)
    return with_words(initial, tokenizer)


def _config(
    initial: Checkpoint,
    name: str,
    minutes: float,
    steps: int | None,
    device: str | None,
    seed: int,
) -> TrainConfig:
    import torch

    from ocelot.encoders.runtime import choose_device, choose_dtype
    from ocelot.model.geometry import EvaConfig, MobileConfig
    from ocelot.training.config import DataConfig, OptimiserConfig, TrainConfig

    place = choose_device(device)
    vision = initial.geometry.vision
    small = not isinstance(vision, EvaConfig)
    size = _PICTURES_PER_CORE[not small] * min(4, max(1, os.cpu_count() or 1))
    options = OptimiserConfig(
        steps=steps or 10**6,
        minutes=0.0 if steps else minutes,
        learning_rate=_LEARNING_RATES[not small],
        warmup=min(20, steps or 20),
        temperature=0.04 if small else 0.02,
        weight_decay=0.05 if small else 0.01,
        average=0.98,
        chunk=0 if small else 16,
        bf16=choose_dtype(None, place) is torch.bfloat16,
        keep_best=True,
        evaluate_every=_CHECK_EVERY,
        save_every=_CHECK_EVERY,
    )
    return TrainConfig(
        name=re.sub(r"\W+", "-", name).strip("-"),
        seed=seed,
        data=DataConfig(
            batch_size=size if place.type == "cpu" else _PICTURES_ON_GPU[not small],
            picture_share=0.0,  # `fit_share` sets it
            # A step takes half the time, and what they see is the same everywhere.
            frozen_stages=(len(vision.depths) + 1) // 2 if isinstance(vision, MobileConfig) else 0,
        ),
        optimiser=options,
    )


def verdict(figures: Sequence[Figure]) -> tuple[str, bool]:
    """Why the adapted encoder is better, or why not; the last figure is the mean of the others."""
    *tasks, mean = figures
    low, high = mean.gain_interval
    gain = f"mean gain {mean.gain:+.3f}, {low:+.3f} to {high:+.3f}"
    if low <= 0:
        said = f"The adapted encoder is not shown to be better ({gain}): nothing is kept."
        return f"{said} More minutes, or more pictures, may help.", False
    if worse := [one.task for one in tasks if one.gain_interval[1] < 0]:
        return f"The adapted encoder is worse in: {', '.join(worse)}. Nothing is kept.", False
    return f"The adapted encoder is better ({gain}), and worse in no kind of question.", True
