"""Protects: pictures keep their order, names, depth and every sample outside an edit."""

import base64
import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin
from PIL.JpegImagePlugin import get_sampling

from faceveil.errors import InputError, UsageError
from faceveil.media.open import open_sink, open_source
from testkit.made_media import make_video, number_of, numbered

EDIT = np.s_[20:44, 24:56]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "in"
    path.mkdir()
    return path


def write_frames(folder, count, pattern="img{:07d}.png", start=1, **options):
    for index in range(count):
        image = Image.fromarray(numbered(index))
        image.save(folder / pattern.format(start + index), **options)


def edited(folder, target, edit=EDIT, stills=False):
    """All pictures through source and sink, each edited in its upright planes."""
    source = open_source(folder, stills)
    with open_sink(target, source) as sink:
        for frame in source:
            (plane,) = frame.planes().planes
            plane[edit] = frame.planes().colour((255, 0, 0))[0]
            sink.write(frame, changed=True)
    return source


def partials(folder):
    return [path.name for path in folder.iterdir() if "partial" in path.name]


@pytest.mark.parametrize(
    ("pattern", "start"),
    [("img{:07d}.png", 1), ("{:d}.jpg", 98), ("shot2_{:04d}.JPEG", 0), ("a{:03d}.png", 1234)],
)
def test_frames_come_in_the_order_of_their_numbers(folder, pattern, start):
    write_frames(folder, 12, pattern, start)
    source = open_source(folder)
    frames = list(source)
    assert source.frame_count == 12
    assert source.rate is None
    assert (source.width, source.height) == (160, 96)
    assert [frame.number for frame in frames] == list(range(12))
    assert [number_of(frame.rgb()) for frame in frames] == list(range(12))


def test_missing_numbers_are_named(folder):
    write_frames(folder, 30)
    for number in (3, 17, 18, 19, 21, 22, 23):
        (folder / f"img{number:07d}.png").unlink()
    with pytest.raises(InputError, match=r"7 of the numbers 1 to 30 .*: 3, 17, 18, 19, 21, …"):
        open_source(folder)


def test_a_missing_number_does_not_count_to_the_end_of_a_huge_gap(folder):
    write_frames(folder, 1, "img{:d}.png", 1)
    write_frames(folder, 1, "img{:d}.png", 10**15)
    with pytest.raises(InputError, match="2, 3, 4, 5, 6, …"):
        open_source(folder)


def test_a_number_used_twice_is_named(folder):
    write_frames(folder, 3)
    write_frames(folder, 1, "img{:07d}.jpg", 2)
    with pytest.raises(InputError, match=r"img0000002\.jpg and img0000002\.png"):
        open_source(folder)


def test_two_videos_in_one_folder_are_refused(folder):
    write_frames(folder, 3, "a{:03d}.png")
    write_frames(folder, 3, "b{:03d}.png", 4)
    with pytest.raises(InputError, match=r"a001\.png and b004\.png"):
        open_source(folder)


def test_a_name_without_number_is_refused(folder):
    write_frames(folder, 2)
    Image.fromarray(numbered(0)).save(folder / "cover.png")
    with pytest.raises(InputError, match=r"cover\.png.*--stills"):
        open_source(folder)


def test_the_first_odd_size_is_named(folder):
    write_frames(folder, 5)
    Image.fromarray(numbered(0, 150, 96)).save(folder / "img0000004.png")
    with pytest.raises(InputError, match=r"img0000004\.png: is 150 x 96.*160 x 96"):
        open_source(folder)


@pytest.mark.parametrize("content", [None, "notes.txt"])
def test_a_folder_without_pictures_is_refused(folder, content):
    if content:
        (folder / content).write_text("words")
    with pytest.raises(InputError, match="no pictures"):
        open_source(folder)


@pytest.mark.parametrize("damage", ["cut", "words", "empty"])
def test_an_unreadable_picture_is_left_out_and_named(folder, tmp_path, damage):
    write_frames(folder, 5, "img{:07d}.jpg")
    path = folder / "img0000003.jpg"
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[: len(whole) // 2], "words": b"words", "empty": b""}[damage])
    source = edited(folder, tmp_path / "out")
    assert [problem.where for problem in source.problems] == ["frame 2 (img0000003.jpg)"]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"img000000{i}.jpg" for i in (1, 2, 4, 5)]


def test_a_folder_of_only_unreadable_pictures_is_refused(folder):
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(b"words")
    with pytest.raises(InputError, match="none of its 3 pictures"):
        open_source(folder)


def test_unchanged_pictures_are_copied_byte_for_byte(folder, tmp_path):
    write_frames(folder, 3, "img{:07d}.jpg", quality=83)
    target = tmp_path / "out"
    source = open_source(folder)
    with open_sink(target, source) as sink:
        for frame in source:
            sink.write(frame, changed=False)
    for path in folder.iterdir():
        assert (target / path.name).read_bytes() == path.read_bytes()
    assert partials(tmp_path) == []


def random_samples(mode):
    rng = np.random.default_rng(1)
    shape = {"L": (96, 160), "LA": (96, 160, 2), "RGB": (96, 160, 3), "RGBA": (96, 160, 4)}[mode]
    return rng.integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_png_is_bit_exact_outside_the_edit(folder, tmp_path, mode):
    samples = random_samples(mode)
    Image.fromarray(samples).save(folder / "1.png")
    edited(folder, tmp_path / "out")
    with Image.open(tmp_path / "out" / "1.png") as result:
        assert result.mode == mode
        found = np.asarray(result).copy()
    assert not np.array_equal(found[EDIT], samples[EDIT])
    found[EDIT] = samples[EDIT]
    assert np.array_equal(found, samples)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bit_png_is_bit_exact_outside_the_edit(folder, tmp_path, channels):
    samples = np.random.default_rng(2).integers(0, 65536, (96, 160, channels), np.uint16)
    cv2.imwrite(str(folder / "1.png"), samples)
    edited(folder, tmp_path / "out")
    found = cv2.imread(str(tmp_path / "out" / "1.png"), cv2.IMREAD_UNCHANGED)
    found = found.reshape(96, 160, channels)
    assert found.dtype == np.uint16
    if channels > 1:
        assert tuple(found[30, 30, :3]) == (0, 0, 65535), "red, in OpenCV's order"
    found[EDIT] = samples[EDIT]
    assert np.array_equal(found, samples)


def test_a_palette_keeps_its_colours_exactly(folder, tmp_path):
    image = Image.fromarray(numbered(5)).quantize(32)
    image.save(folder / "1.png")
    edited(folder, tmp_path / "out")
    found = np.asarray(Image.open(tmp_path / "out" / "1.png").convert("RGB")).copy()
    before = np.asarray(image.convert("RGB"))
    assert not np.array_equal(found[EDIT], before[EDIT])
    found[EDIT] = before[EDIT]
    assert np.array_equal(found, before)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_turned_picture_is_edited_upright_and_stays_turned(folder, tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(numbered(5)).save(folder / f"1{suffix}", exif=exif)
    before = next(iter(open_source(folder))).rgb()
    edited(folder, tmp_path / "out")
    after = next(iter(open_source(tmp_path / "out"))).rgb()
    with Image.open(tmp_path / "out" / f"1{suffix}") as result:
        assert result.size == (160, 96)
        assert result.getexif()[0x0112] == orientation
    assert after.shape == before.shape
    assert np.abs(after[EDIT][8:-8, 8:-8].astype(int) - (255, 0, 0)).mean() < 4
    outside = np.ones(after.shape[:2], bool)
    outside[4:60, 8:72] = False
    assert np.abs(after.astype(int) - before)[outside].mean() <= (0 if suffix == ".png" else 1)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [60, 92])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_keeps_tables_subsampling_and_progression(
    folder, tmp_path, subsampling, quality, progressive
):
    options = {"subsampling": subsampling, "quality": quality, "progressive": progressive}
    write_frames(folder, 1, "{}.jpg", **options)
    edited(folder, tmp_path / "out")
    with Image.open(folder / "1.jpg") as before, Image.open(tmp_path / "out" / "1.jpg") as after:
        assert after.quantization == before.quantization
        assert get_sampling(after) == get_sampling(before)
        assert after.info.get("progressive") == before.info.get("progressive")
        difference = np.abs(np.asarray(after).astype(int) - np.asarray(before))
    assert difference[:, 80:].mean() < 1, "blocks far from the edit are stored again, no worse"


def test_grey_and_cmyk_jpeg(folder, tmp_path):
    image = Image.fromarray(numbered(5))
    image.convert("L").save(folder / "1.jpg")
    image.convert("CMYK").save(folder / "2.jpg")
    edited(folder, tmp_path / "out")
    with Image.open(tmp_path / "out" / "1.jpg") as grey:
        assert grey.mode == "L"
    with Image.open(tmp_path / "out" / "2.jpg") as colour:
        found = np.asarray(colour.convert("RGB")).astype(int)
    assert np.abs(found - numbered(5))[:, 80:].mean() < 6


def exif_with_thumbnail(thumbnail):
    """EXIF with an artist, a maker note and a JPEG thumbnail in its second directory."""
    entries = [(0x0201, 4, 1, 0), (0x0202, 4, 1, len(thumbnail))]
    maker = b"preview:" + thumbnail
    artist = b"Somebody\x00"
    head = 8
    first = head + 2 + 12 * 2 + 4
    artist_at = first
    details = artist_at + len(artist) + 1
    maker_at = details + 2 + 12 + 4
    second = maker_at + len(maker)
    thumbnail_at = second + 2 + 12 * 2 + 4
    entries[0] = (0x0201, 4, 1, thumbnail_at)
    body = b"II*\x00" + struct.pack("<I", head)
    body += struct.pack("<H", 2)
    body += struct.pack("<HHII", 0x013B, 2, len(artist), artist_at)
    body += struct.pack("<HHII", 0x8769, 4, 1, details)
    body += struct.pack("<I", second) + artist + b"\x00"
    body += struct.pack("<H", 1) + struct.pack("<HHII", 0x927C, 7, len(maker), maker_at)
    body += struct.pack("<I", 0) + maker
    body += struct.pack("<H", 2) + b"".join(struct.pack("<HHII", *e) for e in entries)
    return b"Exif\x00\x00" + body + struct.pack("<I", 0) + thumbnail


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_previews_inside_the_file_do_not_survive_an_edit(folder, tmp_path, suffix):
    """A camera's thumbnail shows the face that the picture no longer shows."""
    stream = io.BytesIO()
    Image.fromarray(numbered(9, 64, 48)).save(stream, "JPEG")
    preview = stream.getvalue()
    xmp = b"<x:xmpmeta>secret %s</x:xmpmeta>" % base64.b64encode(preview)
    options = {"exif": exif_with_thumbnail(preview), "xmp": xmp}
    if suffix == ".png":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        text.add_text("Raw profile type exif", "secret")
        text.add_text("Title", "kept")
        options = {"exif": options["exif"], "pnginfo": text}
    path = folder / f"1{suffix}"
    Image.fromarray(numbered(9)).save(path, **options)
    assert preview in path.read_bytes(), "the test's own input"
    edited(folder, tmp_path / "out", stills=True)
    written = (tmp_path / "out" / path.name).read_bytes()
    assert preview not in written
    assert b"preview" not in written
    assert b"secret" not in written
    with Image.open(tmp_path / "out" / path.name) as result:
        assert result.getexif()[0x013B] == "Somebody"
        if suffix == ".png":
            assert result.text == {"Title": "kept"}


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_colour_profile_and_resolution_are_kept(folder, tmp_path, suffix):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = folder / f"1{suffix}"
    options = {"icc_profile": profile} | ({} if suffix == ".webp" else {"dpi": (300, 300)})
    Image.fromarray(numbered(9)).save(path, **options)
    edited(folder, tmp_path / "out", stills=True)
    with Image.open(tmp_path / "out" / path.name) as result:
        assert result.info["icc_profile"] == profile
        if suffix != ".webp":
            assert round(float(result.info["dpi"][0])) == 300


@pytest.mark.parametrize("suffix", [".webp", ".tif", ".bmp"])
def test_other_formats_stay_what_they_are_and_exact(folder, tmp_path, suffix):
    options = {"lossless": True} if suffix == ".webp" else {}
    path = folder / f"any name{suffix}"
    Image.fromarray(numbered(9)).save(path, **options)
    edited(folder, tmp_path / "out", stills=True)
    with Image.open(path) as before, Image.open(tmp_path / "out" / path.name) as after:
        assert after.format == before.format
        found = np.asarray(after.convert("RGB")).copy()
    assert tuple(found[30, 30]) == (255, 0, 0)
    found[EDIT] = numbered(9)[EDIT]
    assert np.array_equal(found, numbered(9))


def test_stills_have_any_names_and_sizes(folder, tmp_path):
    sizes = {"zebra.png": (160, 96), "a face.jpg": (200, 130), "10.png": (144, 70)}
    for name, size in sizes.items():
        Image.fromarray(numbered(3, *size)).save(folder / name)
    (folder / "notes.txt").write_text("words")
    (folder / "sub").mkdir()
    source = open_source(folder, stills=True)
    assert [frame.path.name for frame in source] == ["10.png", "a face.jpg", "zebra.png"]
    assert [frame.number for frame in source] == [0, 1, 2]
    assert {f.path.name: (f.width, f.height) for f in source} == sizes
    assert (source.width, source.height) == (200, 130)
    edited(folder, tmp_path / "out", stills=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(sizes)


def test_the_digest_depends_on_names_and_contents(folder):
    write_frames(folder, 3)
    first = open_source(folder).digest()
    assert open_source(folder).digest() == first
    (folder / "img0000003.png").write_bytes((folder / "img0000002.png").read_bytes())
    assert open_source(folder).digest() != first


def test_a_video_becomes_a_folder_of_frames(tmp_path):
    make_video(tmp_path / "in.mp4", range(5))
    source = open_source(tmp_path / "in.mp4")
    with open_sink(tmp_path / "out", source) as sink:
        for frame in source:
            sink.write(frame, changed=False)
    names = [f"img{number:07d}.png" for number in range(1, 6)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    written = open_source(tmp_path / "out")
    for before, after in zip(source, written, strict=True):
        assert np.array_equal(before.rgb(), after.rgb())


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_exception_leaves_nothing(folder, tmp_path, error):
    write_frames(folder, 5)
    source = open_source(folder)
    with pytest.raises(error), open_sink(tmp_path / "out", source) as sink:
        for frame in source:
            sink.write(frame, changed=True)
            if frame.number == 3:
                raise error
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_old_and_new_pictures_are_never_mixed(folder, tmp_path):
    write_frames(folder, 2)
    target = tmp_path / "out"
    target.mkdir()
    source = open_source(folder)
    with open_sink(target, source) as sink:
        for frame in source:
            sink.write(frame, changed=False)
    assert len(list(target.iterdir())) == 2
    with pytest.raises(UsageError, match="never mixed"):
        open_sink(target, source)


def test_writing_onto_a_file_of_that_name_is_refused(folder, tmp_path):
    write_frames(folder, 2)
    (tmp_path / "out").write_text("words")
    with pytest.raises(UsageError):
        open_sink(tmp_path / "out", open_source(folder))
