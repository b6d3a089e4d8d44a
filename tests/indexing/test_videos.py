"""Videos in indexed folders: frames become items, follow their video, and can be shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import ocelot
from ocelot.errors import InputError
from ocelot.images.store import ImageStore
from ocelot.images.thumbnails import Thumbnails
from ocelot.maintenance.mend import mend
from ocelot.maintenance.verify import verify
from ocelot.rerankers.llm.prompt import build_prompt
from ocelot.service.removed import RemovedItems
from tests.images.videos import BLUE, GREEN, RED, write_sound, write_video
from tests.indexing.pictures import HistogramEncoder, picture
from tests.indexing.test_folders import tally


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    write_video(folder / "sub" / "clip.mp4", [(RED, 2.0), (GREEN, 1.5), (BLUE, 3.0)])
    picture(folder / "a.png", 1)
    return folder


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ocelot.Engine]:
    encoder = HistogramEncoder()
    with ocelot.open(tmp_path / "test.db", encoder=encoder, reranker=None) as opened:
        opened.images = ImageStore(Thumbnails(tmp_path / "small.sqlite"))
        yield opened


def titles(engine: ocelot.Engine) -> list[str]:
    return sorted(item.title for item in engine.items())


def test_a_hit_names_video_and_second(engine: ocelot.Engine, folder: Path) -> None:
    assert tally(engine.index(folder)) == {"found": 1, "encoded": 1}
    assert tally(engine.index(folder, video="scene")) == {"found": 4, "unchanged": 1, "encoded": 3}
    green = np.full((48, 64, 3), GREEN, np.uint8)
    result = engine.search(image=green, limit=3)
    assert result[0].title == "clip.mp4 at 2 s"
    assert result[0].metadata == {"video": "sub/clip.mp4", "second": 2.0}
    prompt = build_prompt(result.query, result.hits)
    assert '1. second: 2.0; video: "sub/clip.mp4"' in prompt
    assert (result[0].width, result[0].height) == (64, 48)
    folded = engine.search(ocelot.Query(green, group_by="video"), limit=9)
    assert [hit.title for hit in folded] == ["clip.mp4 at 2 s", "a.png"]
    assert folded[0].folded == 2


def test_frames_are_shown_from_the_video_or_a_small_copy(
    engine: ocelot.Engine, folder: Path
) -> None:
    engine.index(folder, video="scene")
    frame = next(item for item in engine.items() if item.title == "clip.mp4 at 3.5 s")
    shown = np.array(engine.images.original(frame).rgb()).mean((0, 1))
    assert np.abs(shown - BLUE).max() < 8
    assert engine.images.original(frame).id == frame.id
    os.remove(folder / "sub" / "clip.mp4")
    assert engine.images.picture(frame, 360).size == (64, 48)
    with pytest.raises(ocelot.errors.ItemNotFound, match="cannot be read any more"):
        engine.images.original(frame)


def test_a_removed_frame_comes_back_as_it_was(engine: ocelot.Engine, folder: Path) -> None:
    engine.index(folder, video="scene")
    frame = next(item for item in engine.items() if item.title == "clip.mp4 at 2 s")
    removed = RemovedItems(engine)
    removed.keep(frame.id)
    engine.delete(frame.id)
    removed.restore(frame.id)
    assert engine.get(frame.id) == frame


def test_frames_are_verified_by_their_video(engine: ocelot.Engine, folder: Path) -> None:
    engine.index(folder, video="scene")
    for full in (False, True):
        found = verify(engine.collection, engine.encoder, engine.images, full=full)
        assert (found.findings, found.compared) == ((), 4)
    clip = folder / "sub" / "clip.mp4"
    write_video(clip, [(BLUE, 1.0)])
    found = verify(engine.collection, engine.encoder, engine.images)
    mended = mend(found, engine.collection, engine.encoder, engine.images)
    assert {one.reason for one in mended.failures} == {f"{clip} has changed; index it again"}
    clip.unlink()
    found = verify(engine.collection, engine.encoder, engine.images, folder)
    assert [one.kind for one in found.findings] == ["away"] * 3  # sub is empty now
    mend(found, engine.collection, engine.encoder, engine.images, prune_missing=True)
    assert titles(engine) == ["a.png"]


def test_frames_follow_their_video(engine: ocelot.Engine, folder: Path) -> None:
    engine.index(folder, video="2")
    assert titles(engine) == ["a.png", *(f"clip.mp4 at {n} s" for n in (0, 2, 4, 6))]
    encoded = engine.encoder.wrapped.embedded
    again = engine.index(folder, video="2", prune=True)
    assert tally(again) == {"found": 5, "unchanged": 5}
    assert tally(engine.index(folder, prune=True)) == {"found": 1, "unchanged": 1}
    assert engine.encoder.wrapped.embedded == encoded
    by_scene = engine.index(folder, video="scene")  # two of three seconds are known
    assert tally(by_scene) == {
        "found": 4, "unchanged": 1, "encoded": 1, "relocated": 2, "removed": 2
    }  # fmt: skip
    (folder / "sub" / "clip.mp4").rename(folder / "new.mp4")
    engine.index(folder, video="scene", prune=True)
    assert {item.metadata["video"] for item in engine.items(filter="second >= 0")} == {"new.mp4"}
    write_video(folder / "new.mp4", [(BLUE, 1.0)])
    engine.index(folder, video="scene")
    assert titles(engine) == ["a.png", "new.mp4 at 0 s"]
    (folder / "new.mp4").unlink()
    assert tally(engine.index(folder, video="scene", prune=True))["removed"] == 1
    assert titles(engine) == ["a.png"]


def test_an_interrupted_video_is_read_again(
    engine: ocelot.Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(engine.encoder, "batch_size", 2)
        embed, calls = engine.encoder.wrapped.embed, iter(range(9))

        def fails(batch):
            if next(calls) == 2:
                raise KeyboardInterrupt
            return embed(batch)

        patched.setattr(engine.encoder.wrapped, "embed", fails)
        with pytest.raises(KeyboardInterrupt):
            engine.index(folder, video="1")
    assert 0 < engine.count() < 8
    assert "clip.mp4 at 0 s" not in titles(engine)
    engine.index(folder, video="1")
    assert titles(engine) == ["a.png", *(f"clip.mp4 at {n} s" for n in range(7))]


def test_metadata_of_a_video_is_that_of_its_frames(engine: ocelot.Engine, folder: Path) -> None:
    table = folder / "metadata.csv"
    table.write_text("file_name,title,price\nsub/clip.mp4,Film,5\n")
    engine.index(folder, video="scene")
    assert titles(engine) == ["Film at 0 s", "Film at 2 s", "Film at 3.5 s", "a.png"]
    table.write_text("file_name,title,price\nsub/clip.mp4,Film,6\n")
    assert tally(engine.index(folder, video="scene"))["updated"] == 3
    assert engine.count(filter="price == 6 and video == 'sub/clip.mp4'") == 3


def test_broken_videos_are_reported_and_the_run_goes_on(
    engine: ocelot.Engine, folder: Path
) -> None:
    whole = write_video(folder / "cut.mkv", [(RED, 2.0), (GREEN, 2.0)]).read_bytes()
    (folder / "cut.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    (folder / "b.avi").write_bytes(b"junk")
    write_sound(folder / "sound.mov")
    report = engine.index(folder, video="1")
    reasons = {os.path.basename(one.path): one.reason for one in report.failures}
    assert sorted(reasons) == ["b.avi", "cut.mkv", "sound.mov"]
    assert "cut off" in reasons["cut.mkv"]
    assert {"cut.mkv at 0 s", "cut.mkv at 1 s", "clip.mp4 at 6 s"} < set(titles(engine))
    with pytest.raises(InputError, match="every so many seconds"):
        engine.index(folder, video="daily")
