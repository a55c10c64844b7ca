"""Protects: a picture of any common kind becomes the same upright RGB, or a clear error."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from faceveil.errors import InputError
from faceveil.media.pictures import read_picture, read_stored
from testkit.made_media import numbered

PICTURE = numbered(37)


def saved(image, file_format, **options):
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("file_format", "tolerance"),
    [("PNG", 0), ("BMP", 0), ("TIFF", 0), ("WEBP", 4), ("JPEG", 4), ("GIF", 12)],
)
def test_formats_are_known_by_content(tmp_path, file_format, tolerance):
    path = tmp_path / "picture.dat"
    path.write_bytes(saved(Image.fromarray(PICTURE), file_format))
    for source in (path, path.read_bytes()):
        picture = read_picture(source)
        assert picture.shape == PICTURE.shape
        assert picture.dtype == np.uint8
        assert picture.flags.c_contiguous
        assert np.abs(picture.astype(int) - PICTURE).mean() <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation(file_format, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(PICTURE), file_format, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    assert np.array_equal(read_picture(data), expected)


def test_grey_palette_and_one_bit():
    grey = Image.fromarray(PICTURE).convert("L")
    for image in (grey, grey.convert("1"), Image.fromarray(PICTURE).quantize(64)):
        expected = np.asarray(image.convert("RGB"))
        assert np.array_equal(read_picture(saved(image, "PNG")), expected)


def test_what_transparency_hides_is_still_seen():
    """A face under alpha 0 is still in the file: a viewer can bring it back."""
    alpha = np.zeros((*PICTURE.shape[:2], 1), np.uint8)
    image = Image.fromarray(np.concatenate([PICTURE, alpha], -1))
    assert np.array_equal(read_picture(saved(image, "PNG")), PICTURE)
    grey = np.asarray(Image.fromarray(PICTURE).convert("L"))
    hidden = Image.fromarray(np.stack([grey, alpha[..., 0]], -1))
    assert np.array_equal(read_picture(saved(hidden, "PNG"))[..., 1], grey)


def test_cmyk():
    data = saved(Image.fromarray(PICTURE).convert("CMYK"), "JPEG", quality=95)
    assert np.abs(read_picture(data).astype(int) - PICTURE).mean() < 4


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits(channels):
    wide = np.random.default_rng(0).integers(0, 65536, (20, 30, channels), np.uint16)
    data = cv2.imencode(".png", wide)[1].tobytes()
    stored = read_stored(data)
    assert stored.samples.dtype == np.uint16
    assert stored.peak == 65535
    expected = wide[..., 2::-1] if channels > 1 else np.repeat(wide, 3, 2)
    assert np.array_equal(read_picture(data), expected >> 8)
    if channels == 4:
        assert np.array_equal(stored.samples[..., 3], wide[..., 3])


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_truncated_pictures_are_refused(tmp_path, file_format):
    data = saved(Image.fromarray(PICTURE), file_format)
    path = tmp_path / "cut.jpg"
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(InputError, match=r"cut\.jpg"):
        read_picture(path)


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n", b"\xff\xd8"])
def test_what_is_no_picture_is_refused(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png"):
        read_picture(path)
    with pytest.raises(InputError):
        read_picture(content)


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(InputError, match="gone"):
        read_picture(tmp_path / "gone.jpg")


def bomb(width, height):
    """A PNG of a few bytes that claims to be huge."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(15000, 12000), (60000, 60000)])
def test_a_pixel_bomb_is_refused_before_it_is_unpacked(size):
    with pytest.raises(InputError, match="limit"):
        read_picture(bomb(*size))


def test_the_limit_can_be_set():
    data = saved(Image.fromarray(PICTURE), "PNG")
    height, width = PICTURE.shape[:2]
    assert read_picture(data, max_pixels=width * height).shape == PICTURE.shape
    with pytest.raises(InputError, match=f"{width} x {height}"):
        read_picture(data, max_pixels=width * height - 1)


@pytest.mark.slow
def test_an_8k_still_passes():
    flat = Image.new("RGB", (7680, 4320), (10, 200, 30))
    picture = read_picture(saved(flat, "JPEG"))
    assert picture.shape == (4320, 7680, 3)
