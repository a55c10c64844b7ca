"""Protects "nothing hidden": a published picture file holds the pictures that were looked at."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from faceveil.errors import InputError
from faceveil.media.frames import EncodeOptions
from faceveil.media.open import open_sink, open_source
from faceveil.media.picture_file import clean
from testkit.carving import carve
from testkit.laden_pictures import (
    ARTIST,
    EXIF,
    LADEN,
    PICTURE,
    SECRET_JPEG,
    SECRET_PNG,
    SECRET_RGB,
    SECRET_TEXT,
    XAP,
    exif_with,
    jpeg_with,
    plain_text,
    saved,
    segment,
)
from testkit.made_media import numbered

EDIT = np.s_[20:44, 24:56]
SECRETS = [part[-300:-260] for part in (SECRET_JPEG, SECRET_PNG, SECRET_RGB, SECRET_TEXT)]


def published(folder, target, changed=(), **options):
    """All pictures through source and sink, those of the numbers `changed` edited."""
    source = open_source(folder, stills=True, **options)
    with open_sink(target, source) as sink:
        for frame in source:
            if frame.number in changed:
                (plane,) = frame.planes().planes
                plane[EDIT] = frame.planes().colour((255, 0, 0))[0]
            sink.write(frame, changed=frame.number in changed)
    assert source.problems == []
    return sink


def pixels(content):
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB")).copy()


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("name", LADEN)
def test_what_lies_beside_the_picture_is_not_published(tmp_path, name, changed):
    """A picture in which nothing is veiled was copied byte for byte, previews and all."""
    before = LADEN[name]()
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / name).write_bytes(before)
    sink = published(folder, tmp_path / "out", {0} if changed else ())
    after = (tmp_path / "out" / name).read_bytes()
    assert not [secret for secret in SECRETS if secret in after]
    assert carve(after) == []
    assert [loss.where for loss in sink.losses] == [name] * len(sink.losses) != []
    shown, expected = pixels(after), pixels(before)
    if changed:
        assert np.abs(shown[26:38, 30:50].astype(int) - (255, 0, 0)).mean() < 12
        shown, expected = shown[:, 80:], expected[:, 80:]
    tolerance = 1 if changed and name.endswith((".jpg", ".gif", ".avif")) else 0
    assert np.abs(shown.astype(int) - expected).mean() <= tolerance


@pytest.mark.parametrize("name", LADEN)
def test_the_scan_of_the_tests_sees_what_is_hidden(name):
    """Else the test above could not fail."""
    content = LADEN[name]()
    assert carve(content) or any(secret in content for secret in SECRETS)


PLAIN = {
    "a.jpg": lambda: jpeg_with(segment(0xE1, EXIF + exif_with(ARTIST))),
    "b.jpg": lambda: jpeg_with(segment(0xE1, XAP + b"<x:xmpmeta>A walk</x:xmpmeta>")),
    "c.jpg": lambda: saved(PICTURE, "JPEG", progressive=True, comment="A walk", dpi=(300, 300)),
    "d.png": lambda: saved(PICTURE, "PNG", pnginfo=plain_text(), dpi=(300, 300)),
    "e.webp": lambda: saved(PICTURE, "WEBP", exif=exif_with(ARTIST)),
    "f.gif": lambda: saved(PICTURE.quantize(64), "GIF", comment=b"A walk"),
    "g.tif": lambda: saved(PICTURE, "TIFF", compression="tiff_lzw", tiffinfo={315: "Annabella"}),
    "n.avif": lambda: saved(PICTURE, "AVIF", exif=exif_with(ARTIST)),
    "h.bmp": lambda: saved(PICTURE, "BMP", dpi=(300, 300)),
    "i.jp2": lambda: saved(PICTURE, "JPEG2000"),
    "j.j2k": lambda: saved(PICTURE, "JPEG2000", no_jp2=True),
    "k.bmp": lambda: saved(PICTURE.quantize(16), "BMP"),
    "l.tif": lambda: saved(PICTURE, "TIFF", compression="jpeg"),
    "m.png": lambda: saved(PICTURE.quantize(16), "PNG", transparency=3),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_picture_without_anything_else_is_copied_byte_for_byte(tmp_path, name):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / name).write_bytes(PLAIN[name]())
    sink = published(folder, tmp_path / "out")
    assert (tmp_path / "out" / name).read_bytes() == (folder / name).read_bytes()
    assert sink.losses == []


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_frames_of_a_video_hold_nothing_else_either(tmp_path, suffix):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in (1, 2, 3):
        (folder / f"img{number}{suffix}").write_bytes(LADEN[f"EXIF thumbnail{suffix}"]())
    source = open_source(folder)
    with open_sink(tmp_path / "out", source) as sink:
        for frame in source:
            sink.write(frame, changed=False)
    for path in (tmp_path / "out").iterdir():
        assert carve(path.read_bytes()) == []
    (loss,) = sink.losses
    assert loss.what == "the EXIF thumbnail"
    assert loss.where == f"img1{suffix}, img2{suffix}, img3{suffix}"


def test_a_long_list_of_files_is_cut_short(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(7):
        (folder / f"{number}.jpg").write_bytes(LADEN["movie behind.jpg"]())
    (loss,) = published(folder, tmp_path / "out").losses
    assert str(loss).startswith("0.jpg, 1.jpg, 2.jpg and 4 more: a movie behind the picture")


@pytest.mark.parametrize("name", ["stills_hidden", "keep_thumb"])
@pytest.mark.parametrize("changed", [False, True])
def test_real_files(shared_data, tmp_path, name, changed):
    folder = shared_data / "odd" / name
    count = len(list(folder.iterdir()))
    assert all(carve(path.read_bytes()) for path in folder.iterdir())
    published(folder, tmp_path / "out", range(count) if changed else ())
    assert len(list((tmp_path / "out").iterdir())) == count
    for path in (tmp_path / "out").iterdir():
        assert carve(path.read_bytes()) == []
        if not changed:
            assert np.array_equal(
                pixels(path.read_bytes()), pixels((folder / path.name).read_bytes())
            )


def test_a_file_whose_parts_cannot_be_followed_is_encoded_again(tmp_path):
    """A decoder can read more than a structure says: then nothing of the file is copied."""
    height, width = EDIT[0].stop, 64
    samples = np.asarray(PICTURE)[:height, :width]
    header = struct.pack("<2sIHHIIHHHH", b"BM", 0, 0, 0, 26, 12, width, height, 1, 24)
    content = header + samples[::-1, :, ::-1].tobytes() + SECRET_JPEG
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.bmp").write_bytes(content)
    with pytest.raises(ValueError, match="old kind"):
        clean(content)
    sink = published(folder, tmp_path / "out")
    after = (tmp_path / "out" / "a.bmp").read_bytes()
    assert carve(after) == []
    assert np.array_equal(pixels(after), samples)
    assert any("cannot be followed" in loss.why for loss in sink.losses)


def test_strip_metadata_leaves_out_who_and_where(tmp_path):
    """Orientation, resolution and colour stay; names, places, times and devices do not."""
    exif = Image.Exif()
    exif[0x0112], exif[0x013B], exif[0x0110] = 6, "Annabella", "Camera 5 Pro"
    exif[0x8825] = {1: "N", 2: (60.0, 23.0, 0.0)}
    folder = tmp_path / "in"
    folder.mkdir()
    shown = {"exif": exif, "dpi": (300, 300)}
    PICTURE.save(folder / "a.jpg", comment=b"Annabella was here", **shown)
    PICTURE.save(folder / "b.png", pnginfo=plain_text(), **shown)
    PICTURE.save(folder / "c.webp", exif=exif, xmp=b"<x:xmpmeta>Annabella</x:xmpmeta>")
    PICTURE.save(folder / "d.tif", tiffinfo={315: "Annabella", 272: "Camera 5 Pro"}, dpi=(300, 300))
    PICTURE.save(folder / "e.gif", comment=b"Annabella")
    for changed in (False, True):
        source = open_source(folder, stills=True)
        target = tmp_path / f"out{changed}"
        with open_sink(target, source, EncodeOptions(strip_metadata=True)) as sink:
            for frame in source:
                sink.write(frame, changed)
        for path in target.iterdir():
            content = path.read_bytes()
            assert b"Annabella" not in content
            assert b"Camera 5" not in content
            assert "Ärmel".encode() not in content
            with Image.open(path) as after, Image.open(folder / path.name) as before:
                assert not after.getexif().get_ifd(0x8825)
                if path.suffix in (".jpg", ".png", ".webp"):
                    assert after.getexif()[0x0112] == 6
                if path.suffix != ".gif":
                    assert after.info.get("dpi") == before.info.get("dpi")
        assert sink.losses == [], "what was asked for is no loss"


def test_names_stay_as_they_were_written(tmp_path):
    """An edit turned "Jörg" into "J??rg"."""
    folder = tmp_path / "in"
    folder.mkdir()
    tags = exif_with(ARTIST, (0x0112, 3, b"\1\0"), (0x9C9D, 1, "Jörg\0".encode("utf-16-le")))
    for suffix in ("jpg", "png", "webp"):
        PICTURE.save(folder / f"a.{suffix}", exif=EXIF + tags)
    PICTURE.save(folder / "a.avif", exif=EXIF + exif_with(ARTIST))
    published(folder, tmp_path / "out", range(4))
    for path in (tmp_path / "out").iterdir():
        content = path.read_bytes()
        assert "Jörg Ärmel".encode() in content
        if path.suffix != ".avif":
            assert tags in content, "EXIF data without anything hidden stays byte for byte"


def test_previews_go_and_descriptions_stay(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(LADEN["EXIF thumbnail.jpg"]())
    published(folder, tmp_path / "out")
    content = (tmp_path / "out" / "a.jpg").read_bytes()
    assert "Jörg Ärmel".encode() in content
    with Image.open(io.BytesIO(content)) as picture:
        assert 0x013B in picture.getexif()
        assert not picture.getexif().get_ifd(0x0201)


def test_pages_beside_numbered_frames_are_refused_by_name(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    frames = [Image.fromarray(numbered(number)) for number in range(3)]
    frames[0].save(folder / "img1.png")
    frames[0].save(folder / "img2.png", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match=r"img2\.png: holds 3 pictures.*--stills"):
        open_source(folder)
