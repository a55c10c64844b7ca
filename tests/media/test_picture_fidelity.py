"""Protects "nothing lost": what a picture file says and shows outside a veil stays, or is named."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from faceveil.errors import InputError
from faceveil.media.frames import Loss
from faceveil.media.open import open_sink, open_source
from faceveil.media.picture_encode import copy_clean, depth_lost, encode_like
from faceveil.media.pictures import page_numbers, read_stored
from testkit.carving import carve
from testkit.laden_pictures import PICTURE, SECRET_EXIF, saved
from testkit.made_media import numbered

EDIT = np.s_[20:44, 24:56]


def edited(content, strip=False):
    """The file with a red patch in the upright picture."""
    picture = read_stored(content)
    patch = picture.orientation.view(picture.samples)[EDIT]
    patch[:] = patch.dtype.type(0)
    if patch.ndim == 3:
        patch[..., 0] = picture.peak
    return encode_like(picture, content, strip)


def unedited(samples):
    outside = np.ones(samples.shape[:2], bool)
    outside[EDIT] = False
    return outside


def test_tags_of_a_tiff_stay():
    """Artist, date, description and copyright were lost."""
    tags = {270: "A walk", 315: "Joe", 306: "2026:01:01 00:00:00", 33432: "(c) me", 305: "Ed"}
    before = saved(PICTURE, "TIFF", tiffinfo=tags, dpi=(300, 300))
    after = Image.open(io.BytesIO(edited(before).content))
    assert {tag: after.tag_v2[tag] for tag in tags} == tags
    assert after.info["dpi"] == (300, 300)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "1", "P", "CMYK"])
def test_tiff_is_exact_outside_a_veil(mode, compression):
    image = PICTURE.convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(numbered(3)).convert("L"))
    before = saved(image, "TIFF", compression=compression)
    after = Image.open(io.BytesIO(edited(before).content))
    assert after.mode == {"1": "L", "P": "RGB"}.get(mode, mode)
    found, expected = np.asarray(after), np.asarray(image.convert(after.mode))
    assert np.array_equal(found[unedited(found)], expected[unedited(found)])
    assert not np.array_equal(found[EDIT], expected[EDIT])


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_sixteen_bits_stay_sixteen(channels, suffix):
    """A TIFF of 16 bits became one of 8."""
    import cv2

    samples = np.random.default_rng(2).integers(0, 65536, (96, 160, channels), np.uint16)
    before = cv2.imencode(suffix, samples)[1].tobytes()
    content = edited(before).content
    found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found.dtype == np.uint16
    assert np.array_equal(found[unedited(found)], samples[unedited(found)])
    assert tuple(found[30, 30, :3]) == (0, 0, 65535)


def test_alpha_that_colours_were_multiplied_with_is_not_applied_twice():
    """Pillow reads associated alpha (ExtraSamples 1) as colours divided by it."""
    rgba = np.full((48, 64, 4), (200, 100, 50, 128), np.uint8)
    rgba[..., :3] = rgba[..., :3] // 2
    before = bytearray(saved(Image.fromarray(rgba), "TIFF"))
    place = before.index(b"\x52\x01\x03\0\1\0\0\0\2\0") + 8
    before[place] = 1
    shown = np.asarray(Image.open(io.BytesIO(bytes(before))))
    after = np.asarray(Image.open(io.BytesIO(edited(bytes(before)).content)))
    assert np.array_equal(after[unedited(after)], shown[unedited(shown)])


def test_lab_stays_lab_with_its_profile(shared_data):
    content = (shared_data / "odd" / "lab.tif").read_bytes()
    after = Image.open(io.BytesIO(edited(content).content))
    before = Image.open(io.BytesIO(content))
    assert after.mode == "LAB"
    assert after.info["icc_profile"] == before.info["icc_profile"]
    found, expected = np.asarray(after), np.asarray(before)
    assert np.array_equal(found[unedited(found)], expected[unedited(found)])
    lightness, a, b = found[30, 30].astype(int)  # a* and b* of 8 bits with a sign
    assert abs(lightness - 138) < 4, "red"
    assert abs(a - 81) < 5
    assert abs(b - 70) < 5


@pytest.mark.parametrize("name", ["rgb16.tif", "tiff_meta/a.tif"])
def test_real_tiffs_keep_depth_and_tags(shared_data, name):
    content = (shared_data / "odd" / name).read_bytes()
    encoded = edited(content)
    before, after = read_stored(content), read_stored(encoded.content)
    assert before.samples.dtype == after.samples.dtype
    outside = unedited(before.samples)
    assert np.array_equal(before.samples[outside], after.samples[outside])
    for tag in (270, 306, 315, 33432):
        tags = [Image.open(io.BytesIO(c)).tag_v2.get(tag) for c in (content, encoded.content)]
        assert tags[0] == tags[1]
    assert encoded.losses == ()


def test_cmyk_stays_cmyk_with_its_profile():
    """Inks became RGB, and the profile was dropped without a word."""
    image = PICTURE.convert("CMYK")
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[16:20] = b"CMYK"
    before = saved(image, "JPEG", quality=95, icc_profile=bytes(profile), subsampling=0)
    after = Image.open(io.BytesIO(edited(before).content))
    assert after.mode == "CMYK"
    assert after.info["icc_profile"] == bytes(profile)
    found = np.asarray(after.convert("RGB")).astype(int)
    expected = np.asarray(Image.open(io.BytesIO(before)).convert("RGB")).astype(int)
    assert np.abs(found - expected)[:, 80:].mean() < 2
    assert np.abs(found[28:36, 32:48] - (255, 0, 0)).mean() < 12


def test_a_palette_of_a_gif_keeps_its_colours():
    image = PICTURE.quantize(200)
    before = saved(image, "GIF")
    encoded = edited(before)
    found = np.asarray(Image.open(io.BytesIO(encoded.content)).convert("RGB"))
    expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(found[unedited(found)], expected[unedited(found)])
    assert tuple(found[30, 30]) == (255, 0, 0)
    assert encoded.losses == ()


def test_heic_without_a_veil_stays_and_with_one_becomes_jpeg(shared_data, tmp_path):
    folder = shared_data / "odd" / "stills_mixed"
    for number, changed in enumerate((False, True)):
        source = open_source(folder, stills=True)
        assert [frame.name for frame in source] == [
            *("IMG_0001.HEIC", "b.avif", "c.gif", "d.JPG", "e.jfif")
        ]
        target = tmp_path / str(number)
        with open_sink(target, source) as sink:
            for frame in source:
                if changed:
                    frame.planes().planes[0][EDIT] = frame.planes().colour((255, 0, 0))[0]
                sink.write(frame, changed)
        names = {path.name for path in target.iterdir()}
        if not changed:
            assert names == {path.name for path in folder.iterdir()}
            assert sink.losses == []
            for name in names:
                assert (target / name).read_bytes() == (folder / name).read_bytes()
        else:
            assert names == {"IMG_0001.HEIC.jpg", "b.avif", "c.gif", "d.JPG", "e.jfif"}
            assert "the format HEIC: not kept" in str(sink.losses[0])
            again = open_source(target, stills=True)
            for one, other in zip(source, again, strict=True):
                shown, before = other.rgb().astype(int), one.rgb().astype(int)
                assert np.abs(shown[26:38, 30:50] - (255, 0, 0)).mean() < 12
                assert np.abs(shown - before)[60:].mean() < 3


def test_folders_below_are_read_and_written_with_their_names(tmp_path):
    folder = tmp_path / "in"
    for name in ("b/1.png", "a.png", "b/c/2.jpg", "é/x y.webp"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        PICTURE.save(folder / name)
    (folder / "b" / ".hidden").mkdir()
    PICTURE.save(folder / "b" / ".hidden" / "3.png")
    source = open_source(folder, stills=True, recursive=True)
    names = ["a.png", "b/1.png", "b/c/2.jpg", "é/x y.webp"]
    assert [frame.name for frame in source] == names
    with open_sink(tmp_path / "out", source) as sink:
        for frame in source:
            sink.write(frame, changed=False)
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (folder / name).read_bytes()
    assert sink.losses == []
    again = open_source(tmp_path / "out", stills=True, recursive=True)
    assert [frame.name for frame in again] == names


def test_what_is_left_out_of_a_folder_is_named(tmp_path):
    folder = tmp_path / "in"
    (folder / "more").mkdir(parents=True)
    PICTURE.save(folder / "a.png")
    (folder / "notes.txt").write_text("words")
    (folder / "photo.cr2").write_bytes(b"II*\0")
    source = open_source(folder, stills=True)
    with open_sink(tmp_path / "out", source) as sink:
        for frame in source:
            sink.write(frame, changed=False)
    assert [loss.where for loss in sink.losses] == ["more/", "notes.txt", "photo.cr2"]
    assert str(sink.losses[0]) == "more/: a folder: not kept (read with --recursive)"
    assert isinstance(sink.losses[1], Loss)


def test_a_file_that_no_decoder_reads_is_a_problem(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    with pytest.raises(InputError, match="none of its 1 pictures"):
        open_source(tmp_path, stills=True)


MODES = {
    "PNG": ["L", "LA", "RGB", "RGBA", "P", "1"],
    "TIFF": ["L", "LA", "RGB", "RGBA", "CMYK"],
    "BMP": ["L", "RGB"],
    "WEBP": ["RGB", "RGBA"],
    "GIF": ["P"],
    "JPEG2000": ["L", "RGB", "RGBA"],
}


@st.composite
def picture_files(draw):
    """A small file of any exact format, colours, size, orientation and description."""
    file_format = draw(st.sampled_from(sorted(MODES)))
    mode = draw(st.sampled_from(MODES[file_format]))
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    shape = (height, width, 4)
    samples = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, shape, np.uint8)
    image = Image.fromarray(samples)
    image = image.convert("RGB").quantize(16) if mode == "P" else image.convert(mode)
    options = {}
    if file_format == "WEBP":
        options |= {"lossless": True, "exact": True}
    if file_format in ("PNG", "WEBP") and draw(st.booleans()):
        options["exif"] = SECRET_EXIF
    elif file_format in ("PNG", "TIFF", "WEBP"):
        exif = Image.Exif()
        exif[0x0112] = draw(st.integers(1, 8))
        options["exif"] = exif
    if file_format in ("PNG", "TIFF", "BMP") and draw(st.booleans()):
        options["dpi"] = (draw(st.integers(1, 600)),) * 2
    behind = draw(st.sampled_from([b"", bytes(7), saved(PICTURE, "JPEG")]))
    return saved(image, file_format, **options) + behind


@given(content=picture_files(), strip=st.booleans(), data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_picture_keeps_every_sample_outside_a_veil(content, strip, data):
    """Nothing is hidden afterwards, whether anything was veiled or not."""
    picture = read_stored(content)
    before = picture.rgb()
    height, width = before.shape[:2]
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    view = picture.orientation.view(picture.samples)
    patch = np.s_[top : top + 5, left : left + 5]
    view[patch] = 0
    outside = np.ones((height, width), bool)
    outside[patch] = False
    after = encode_like(picture, content, strip)
    copy = copy_clean(content, strip)
    assert copy is not None
    assert np.array_equal(read_stored(after.content).rgb()[outside], before[outside])
    assert np.array_equal(read_stored(copy.content).rgb(), before)
    assert read_stored(after.content).rgb()[patch].max(initial=0) <= 0 or picture.format == "GIF"
    for published in (after.content, copy.content):
        assert carve(published) == []
        described = (Image.open(io.BytesIO(file)).info.get("dpi") for file in (content, published))
        assert len({None if dpi is None else round(float(dpi[0])) for dpi in described}) == 1


def test_ten_bits_that_become_eight_are_named():
    """Pillow writes AVIF of 8 bits: the depth is what `pixi` says."""
    before = saved(PICTURE, "AVIF", quality=90)
    at = before.index(b"pixi") + 9
    assert before[at] == 8
    assert edited(before).losses == ()
    deep = before[:at] + bytes([10]) + before[at + 1 :]
    assert [loss.what for loss in depth_lost(deep)] == ["10 bits a sample"]


def test_heic_of_several_pictures_is_refused_by_name():
    """No free encoder writes it, so its further pictures would be lost."""

    class Several:
        format, n_frames = "HEIF", 3

    with pytest.raises(ValueError, match="several HEIC pictures"):
        page_numbers(Several(), b"")
