"""Frames of real videos: which are taken, and that each is found again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ocelot.errors import ImageError, InputError
from ocelot.images.file import ImageFile
from ocelot.images.video import checked_sampling, frame_at, frames, is_new_scene
from tests.images.videos import BLUE, GREEN, RED, write_sound, write_video

SCENES = [(RED, 2.0), (GREEN, 1.5), (BLUE, 3.0)]


@pytest.fixture(scope="module", params=[".mp4", ".mkv", ".avi", ".mov"])
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("clips") / f"clip{request.param}"
    return str(write_video(path, SCENES))


def is_near(image: ImageFile, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.array(image.rgb()).mean((0, 1)) - colour).max() < 8)


def test_scenes_start_where_the_colour_changes(clip: str) -> None:
    found = list(frames(clip, "scene"))
    assert [second for second, _ in found] == [0, 2, 3.5]
    assert all(is_near(image, scene[0]) for (_, image), scene in zip(found, SCENES, strict=True))


@pytest.mark.parametrize(
    ("every", "seconds"), [("2", [0, 2, 4, 6]), ("2.5", [0, 2.5, 5]), ("60", [0])]
)
def test_frames_by_interval(clip: str, every: str, seconds: list[float]) -> None:
    assert [second for second, _ in frames(clip, every)] == seconds


def test_each_frame_is_found_again_by_its_second(clip: str) -> None:
    for second, image in frames(clip, "0.7"):
        again = frame_at(clip, second)
        assert (again.data, again.id) == (image.data, image.id)
    with pytest.raises(ImageError, match="no frame at 99 s"):
        frame_at(clip, 99)


def test_ids_differ_by_second_and_by_video(clip: str, tmp_path: Path) -> None:
    other = write_video(tmp_path / "other.mp4", SCENES[::-1])
    ids = [image.id for path in (clip, str(other)) for _, image in frames(path, "1")]
    assert len(set(ids)) == len(ids) == 14
    copy = tmp_path / f"copy{Path(clip).suffix}"
    copy.write_bytes(Path(clip).read_bytes())
    assert [image.id for _, image in frames(str(copy), "1")] == ids[:7]
    assert frame_at(clip, 1).without_pixels().id == ids[1]


def test_a_flicker_is_no_scene(tmp_path: Path) -> None:
    flash = [(RED, 1.0), (BLUE, 0.2), (RED, 2.0)]
    found = [second for second, _ in frames(str(write_video(tmp_path / "a.mp4", flash)), "scene")]
    assert found == [0, 1, 2]  # the flash, and what follows, a second later


def test_new_scene_by_hand() -> None:
    black = np.zeros((18, 32, 3), np.uint8)
    assert not is_new_scene(black, black)
    assert not is_new_scene(black, black + np.uint8(26))
    assert is_new_scene(black, black + np.uint8(27))
    half = black.copy()
    half[:9] = 54
    assert is_new_scene(half, black)


def test_what_is_no_whole_video(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mkv", SCENES).read_bytes()
    for name, data, said in (
        ("empty.mp4", b"", "not a video that can be read"),
        ("junk.mp4", b"junk" * 999, "not a video that can be read"),
        ("cut.mkv", whole[: len(whole) * 2 // 3], "of 6.5 s: it is cut off"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ImageError, match=said):
            list(frames(str(tmp_path / name), "1"))
    with pytest.raises(ImageError, match="no video stream"):
        list(frames(str(write_sound(tmp_path / "sound.mov")), "1"))
    with pytest.raises(ImageError, match="No such file"):
        frame_at(str(tmp_path / "missing.mp4"), 1)


def test_slow_videos_and_those_that_start_late_are_whole(tmp_path: Path) -> None:
    slides = write_video(tmp_path / "slides.avi", [(RED, 0.2), (BLUE, 0.2)], rate=Fraction(1, 7))
    assert [second for second, _ in frames(str(slides), "5")] == [0, 7, 14, 21]
    late = write_video(tmp_path / "late.mkv", SCENES, start=10**6)
    assert [second for second, _ in frames(str(late), "5")] == [0, 5]


@pytest.mark.parametrize("text", ["", "often", "0", "-1", "nan", "inf"])
def test_sampling_must_be_scene_or_seconds(text: str) -> None:
    assert checked_sampling("scene") == "scene"
    with pytest.raises(InputError, match="every so many seconds, was"):
        checked_sampling(text)
