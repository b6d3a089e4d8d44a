from __future__ import annotations

import hashlib
import io
import os
import random
import struct
import threading
import zlib
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from ocelot.errors import ImageError
from ocelot.images.decode import (
    SUFFIXES,
    MemoryBudget,
    _as_rgb,
    decode,
    encode_jpeg,
    hash_bytes,
    probe,
    read_file,
)


def load_image(source: Path | bytes, **options: int) -> Image.Image:
    if isinstance(source, bytes):
        return decode(source, **options).image
    return decode(read_file(source), name=str(source), **options).image


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tiff", "avif"])
def test_every_format_comes_out_rgb(tmp_path: Path, suffix: str) -> None:
    assert f".{suffix}" in SUFFIXES
    path = save(tmp_path / f"a.{suffix}", Image.new("RGB", (40, 30), (200, 30, 30)))
    image = load_image(path)
    assert (image.mode, image.size) == ("RGB", (40, 30))
    assert np.abs(np.array(image, dtype=int) - (200, 30, 30)).max() < 12


def test_transparency_falls_on_white(tmp_path: Path) -> None:
    layer = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    layer.putpixel((5, 5), (255, 0, 0, 255))
    image = load_image(save(tmp_path / "a.png", layer))
    assert image.getpixel((0, 0)) == (255, 255, 255)
    assert image.getpixel((5, 5)) == (255, 0, 0)


def test_palette_with_transparency(tmp_path: Path) -> None:
    picture = Image.new("P", (4, 4), 0)
    picture.putpalette([10, 20, 30, 255, 0, 0])
    path = save(tmp_path / "a.png", picture, transparency=0)
    assert load_image(path).getpixel((0, 0)) == (255, 255, 255)


def test_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate 90 degrees clockwise to view
    path = save(tmp_path / "a.jpg", Image.new("RGB", (40, 20)), exif=exif)
    assert load_image(path).size == (20, 40)


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(16, 16)
    image = load_image(save(tmp_path / "a.png", Image.fromarray(ramp)))
    assert np.abs(np.array(image)[..., 0].ravel().astype(int) - np.arange(256)).max() <= 1


def test_gif_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert load_image(tmp_path / "a.gif").getpixel((0, 0)) == (255, 0, 0)


def test_cmyk_jpeg(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)))
    red, green, _ = load_image(path).getpixel((4, 4))  # type: ignore[misc]
    assert red > 200 > 60 > green


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)


def test_a_decompression_bomb_is_refused_before_decoding() -> None:
    with pytest.raises(ImageError, match="more pixels than the limit of 89,000,000"):
        load_image(bomb(60_000, 60_000))
    with pytest.raises(ImageError, match="9900 x 9000 pixels are more than the limit"):
        load_image(bomb(9_900, 9_000))
    with pytest.raises(ImageError, match="100 x 100 pixels are more than the limit of 9,999"):
        probe(bomb(100, 100), max_pixels=9_999)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, I am a text file", "not an image"),
        (encode_jpeg(Image.effect_noise((200, 200), 90).convert("RGB"))[:900], "damaged"),
    ],
)
def test_bad_files_say_why(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=reason) as caught:
        load_image(path)
    assert str(path) in str(caught.value)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="not a regular file"):
        load_image(tmp_path / "pipe.jpg")


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        load_image(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="folder"):
        load_image(tmp_path)


def test_every_truncation_is_an_image_error() -> None:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "PNG")
    data = buffer.getvalue()
    for length in range(0, len(data) - 64, 97):  # the last bytes hold no pixels
        with pytest.raises(ImageError):
            load_image(data[:length])


def test_hash_is_sha256_of_the_bytes() -> None:
    assert hash_bytes(b"abc") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_probe_reads_the_head_alone(format: str) -> None:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, format)
    assert probe(buffer.getvalue()) == (format, 300, 200)
    if format in ("JPEG", "PNG", "BMP"):
        assert probe(buffer.getvalue()[:1000]) == (format, 300, 200)


def test_probe_refuses_what_loading_refuses() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20)).save(buffer, "PNG")
    with pytest.raises(ImageError, match="30 x 20 pixels are more than the limit of 599"):
        probe(buffer.getvalue(), max_pixels=599)
    for data, reason in ((b"", "empty"), (b"hello", "not an image")):
        with pytest.raises(ImageError, match=rf"Cannot use upload\.png: .*{reason}"):
            probe(data, name="upload.png")


@pytest.mark.parametrize("format", ["EPS", "PCX", "TGA", "ICO", "PPM", "SGI", "JPEG2000"])
def test_formats_beyond_the_documented_ones_are_refused(format: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(buffer, format)
    for use in (load_image, probe):
        with pytest.raises(ImageError, match="not an image in a format that can be read"):
            use(buffer.getvalue())


def test_a_picture_that_is_too_long_is_said_to_be() -> None:
    buffer = io.BytesIO()
    Image.new("1", (65_501, 1)).save(buffer, "PNG")
    with pytest.raises(ImageError, match=r"a side of 65,501 pixels is too long"):
        load_image(buffer.getvalue())


def test_large_pictures_are_decoded_one_after_the_other() -> None:
    budget, inside, most = MemoryBudget(100), 0, 0
    lock = threading.Lock()

    def decode(pixels: int) -> None:
        nonlocal inside, most
        for _ in range(50):
            with budget.reserve(pixels):
                with lock:
                    inside += min(pixels, 100)
                    most = max(most, inside)
                with lock:
                    inside -= min(pixels, 100)

    threads = [threading.Thread(target=decode, args=[size]) for size in (10, 40, 60, 100, 500)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= 100
    assert inside == 0


def jpeg(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **({"format": "JPEG", "quality": 92} | options))
    return buffer.getvalue()


def waves(width: int, height: int) -> Image.Image:
    """Soft stripes, another in each channel, so that turning and mirroring show."""
    y, x = np.mgrid[0:height, 0:width]
    planes = (x / width, y / height, 0.5 + 0.5 * np.sin(x / 40 + y / 90))
    return Image.fromarray((np.stack(planes, axis=-1) * 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("shortest", "side"),
    [(None, 800), (801, 800), (800, 800), (401, 800), (400, 400), (201, 400), (200, 200),
     (101, 200), (100, 100), (1, 100)],
)  # fmt: skip
def test_a_jpeg_is_decoded_at_the_smallest_scale_that_does(shortest: int, side: int) -> None:
    decoded = decode(jpeg(waves(1200, 800)), shortest=shortest)
    assert decoded.image.size == (side * 3 // 2, side)
    assert decoded.size == (1200, 800)


def test_a_smaller_decoding_shows_the_same_picture() -> None:
    image = waves(1203, 809)
    decoded = decode(jpeg(image), shortest=200)
    assert decoded.image.size == (301, 203)  # a quarter, rounded up
    expected = np.asarray(image.resize((301, 203), Image.Resampling.BOX), dtype=int)
    assert np.abs(np.asarray(decoded.image, dtype=int) - expected).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_smaller_decoding_is_upright_too(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = jpeg(waves(640, 320), exif=exif)
    whole, half = decode(data), decode(data, shortest=160)
    assert whole.size == half.size == whole.image.size
    assert whole.size == ((640, 320) if orientation < 5 else (320, 640))
    assert half.image.size == (whole.size[0] // 2, whole.size[1] // 2)
    expected = np.asarray(whole.image.resize(half.image.size, Image.Resampling.BOX), dtype=int)
    assert np.abs(np.asarray(half.image, dtype=int) - expected).mean() < 2


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_kinds_of_jpeg_are_decoded_smaller(mode: str) -> None:
    data = jpeg(waves(400, 400).convert(mode))
    whole, half = decode(data).image, decode(data, shortest=200).image
    assert (half.mode, half.size) == ("RGB", (200, 200))
    expected = np.asarray(whole.resize((200, 200), Image.Resampling.BOX), dtype=int)
    assert np.abs(np.asarray(half, dtype=int) - expected).mean() < 3


def test_an_mpo_gives_its_first_picture_smaller() -> None:
    buffer = io.BytesIO()
    first, second = waves(400, 400), Image.new("RGB", (400, 400), "red")
    first.save(buffer, "MPO", save_all=True, append_images=[second], quality=92)
    decoded = decode(buffer.getvalue(), shortest=200)
    assert (decoded.image.size, decoded.size) == ((200, 200), (400, 400))
    expected = np.asarray(first.resize((200, 200), Image.Resampling.BOX), dtype=int)
    assert np.abs(np.asarray(decoded.image, dtype=int) - expected).mean() < 3


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF", "TIFF"])
def test_other_formats_are_decoded_whole(format: str) -> None:
    buffer = io.BytesIO()
    waves(320, 240).save(buffer, format)
    decoded = decode(buffer.getvalue(), shortest=10)
    assert decoded.image.size == decoded.size == (320, 240)


def test_the_limit_is_on_the_whole_picture_however_small_it_is_decoded() -> None:
    with pytest.raises(ImageError, match="9440 x 9440 pixels are more than the limit"):
        load_image(jpeg(Image.new("L", (9440, 9440))), shortest=100)


def test_a_smaller_decoding_takes_less_room(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    class Noted(MemoryBudget):
        def reserve(self, size: int) -> AbstractContextManager[None]:
            taken.append(size)
            return super().reserve(size)

    monkeypatch.setattr("ocelot.images.decode.budget", Noted(10**6))
    data, grey = jpeg(waves(1200, 800)), jpeg(waves(1200, 800).convert("L"))
    load_image(data)
    load_image(data, shortest=100)
    load_image(grey)
    load_image(jpeg(waves(1200, 800), progressive=True), shortest=100)
    assert taken == [
        1200 * 800 * 4,
        150 * 100 * 4,
        1200 * 800 * (1 + 4),  # as grey, then as RGB
        150 * 100 * 4 + 1200 * 800 * 3 * 2,
    ]


@pytest.fixture
def low_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of more than a million pixels are large."""
    monkeypatch.setattr("ocelot.images.decode._LARGE", 10**6)


@pytest.mark.usefixtures("low_bound")
@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA"])
def test_large_pictures_of_all_formats_are_reduced_where_that_is_enough(mode: str) -> None:
    image = waves(1250, 1000)
    if mode == "RGBA":
        image.putalpha(image.getchannel("R"))
    buffer, image = io.BytesIO(), image.convert(mode)
    image.save(buffer, "PNG", compress_level=1)
    shown = _as_rgb(image)

    reduced = decode(buffer.getvalue(), shortest=200)
    assert reduced.size == (1250, 1000) and reduced.image.size == (250, 200)
    expected = np.asarray(shown.reduce(5), dtype=int)
    assert np.abs(np.asarray(reduced.image, dtype=int) - expected).max() <= 1
    assert reduced.serves(150) and not reduced.serves(250) and not reduced.serves(None)
    assert decode(buffer.getvalue(), shortest=250).image.size == (313, 250)
    whole = decode(buffer.getvalue()).image
    assert whole.size == (1250, 1000) and whole.tobytes() == shown.tobytes()


@pytest.mark.usefixtures("low_bound")
def test_a_very_long_picture_is_reduced_too() -> None:
    buffer = io.BytesIO()
    Image.new("L", (270, 6000), 200).save(buffer, "PNG")
    assert decode(buffer.getvalue(), shortest=200).image.size == (135, 3000)


def with_exif(data: bytes, format: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    waves(60, 40).save(buffer, format, exif=b"Exif\0\0" + data, dpi=(72, 72), quality=92)
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("seed", range(12))
def test_garbage_in_exif_does_not_matter(seed: int, format: str) -> None:
    draw = random.Random(seed)
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation], turned[ExifTags.Base.Make] = 3, "a camera"
    valid = bytearray(turned.tobytes()[6:])
    noise = draw.randbytes(draw.randrange(1, 300))
    for _ in range(4):
        valid[draw.randrange(len(valid))] = draw.randrange(256)
    heads = (b"", b"MM\0*", b"II*\0", b"MM\0*\0\0\0\x08", b"II*\0\x08\0\0\0")
    data = bytes(valid) if seed % 6 == 5 else heads[seed % 6] + noise
    decoded = decode(with_exif(data, format))
    assert sorted(decoded.size) == sorted(decoded.image.size) == [40, 60]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_orientation_beside_tags_that_cannot_be_read_is_applied() -> None:
    """Pillow turns the picture, then fails to write the rest of the EXIF again."""
    entries = struct.pack(">HHLHH", 0x0112, 3, 1, 6, 0) + struct.pack(">HHLL", 0x010F, 5, 1, 8)
    exif = b"MM\0*" + struct.pack(">LH", 8, 2) + entries + bytes(4)
    assert decode(with_exif(exif)).image.size == (40, 60)
