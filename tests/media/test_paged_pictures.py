"""Protects: every frame of an animation and every page of a file is looked at, and none is lost."""

import io

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence

from faceveil.errors import InputError
from faceveil.media.open import open_sink, open_source
from faceveil.media.picture_file import jpeg
from testkit.carving import carve
from testkit.laden_pictures import SECRET_JPEG, chunk, saved
from testkit.made_media import number_of, numbered

EDIT = np.s_[20:44, 24:56]
COUNT = 4
FRAMES = [Image.fromarray(numbered(number)) for number in range(COUNT)]
GREY = [frame.convert("L") for frame in FRAMES]
DURATIONS = [40, 120, 200, 500]


def joined(frames, file_format, **options):
    first, *others = (frame.copy() for frame in frames)  # Pillow leaves options in its pictures
    return saved(first, file_format, save_all=True, append_images=others, **options)


def moving(mode):
    """A spot that moves over a still ground, so that encoders store parts of frames only."""
    frames = []
    for number in range(COUNT):
        picture = np.full((96, 160, 4), (20, 90, 160, 255), np.uint8)
        picture[:30] = (0, 0, 0, 0)
        picture[40:60, 20 * number : 20 * number + 20] = (250, 200 - 40 * number, 30, 255)
        frames.append(Image.fromarray(picture).convert(mode))
    return frames


TIMES = {"duration": DURATIONS, "loop": 3}
MADE = {
    "a.webp": lambda: joined(FRAMES, "WEBP", lossless=True, **TIMES),
    "b.webp": lambda: joined(moving("RGBA"), "WEBP", lossless=True, **TIMES),
    "c.png": lambda: joined(FRAMES, "PNG", **TIMES),
    "d.png": lambda: joined(moving("RGBA"), "PNG", blend=1, **TIMES),
    "e.png": lambda: joined(FRAMES, "PNG", default_image=True, duration=DURATIONS[1:], loop=3),
    "f.gif": lambda: joined([f.quantize(32) for f in FRAMES], "GIF", **TIMES),
    "g.gif": lambda: joined(moving("RGBA"), "GIF", disposal=2, **TIMES),
    "h.gif": lambda: joined(moving("RGB"), "GIF", disposal=1, **TIMES),
    "i.tif": lambda: joined(FRAMES, "TIFF", compression="tiff_lzw"),
    "j.tif": lambda: joined([FRAMES[0], GREY[1], FRAMES[2].resize((80, 48)), GREY[3]], "TIFF"),
    "k.jpg": lambda: jpeg.join_views([saved(frame, "JPEG", quality=92) for frame in FRAMES]),
    "l.png": lambda: joined(GREY, "PNG", **TIMES),
    "m.avif": lambda: joined(FRAMES, "AVIF", quality=100, subsampling="4:4:4", **TIMES),
}
EXACT = set(MADE) - {"k.jpg", "m.avif"}


def shown(content):
    """Every picture of a file as RGBA, its time, and how often all are repeated."""
    with Image.open(io.BytesIO(content)) as file:
        pages, times = [], []
        for page in ImageSequence.Iterator(file):
            pages.append(np.asarray(page.convert("RGBA")).astype(int))
            times.append(page.info.get("duration"))
        return pages, times, file.info.get("loop")


def published(folder, target, changed, **options):
    source = open_source(folder, stills=True)
    with open_sink(target, source) as sink:
        for frame in source:
            if frame.number in changed:
                (plane,) = frame.planes().planes
                plane[EDIT] = frame.planes().colour((255, 0, 0))[0]
            sink.write(frame, changed=frame.number in changed)
    assert source.problems == []
    return source, sink


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "in"
    path.mkdir()
    return path


@pytest.mark.parametrize("name", MADE)
def test_every_picture_is_a_frame(folder, name):
    (folder / name).write_bytes(MADE[name]())
    source = open_source(folder, stills=True)
    frames = [(frame.number, frame.page, frame.pages, frame.rgb()) for frame in source]
    pages, _, _ = shown(MADE[name]())
    assert source.frame_count == len(frames) == len(pages) == COUNT
    assert [row[:3] for row in frames] == [(number, number, COUNT) for number in range(COUNT)]
    for page, (*_, rgb) in zip(pages, frames, strict=True):
        opaque = page[..., 3] > 0
        assert np.array_equal(page[opaque][:, :3], rgb[opaque])


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("changed", [{1}, {0, 1, 2, 3}])
def test_a_veil_in_some_frames_leaves_all_frames_and_times(folder, tmp_path, name, changed):
    """Only the first picture used to be written, the others were lost."""
    before = MADE[name]()
    (folder / name).write_bytes(before)
    published(folder, tmp_path / "out", changed)
    after = (tmp_path / "out" / name).read_bytes()
    (pages, times, loop), (expected, expected_times, expected_loop) = shown(after), shown(before)
    assert times == expected_times
    assert loop == expected_loop or name == "m.avif"
    assert len(pages) == COUNT
    for number, (page, original) in enumerate(zip(pages, expected, strict=True)):
        if number in changed:
            red = page[EDIT][4:-4, 4:-4, :3]
            grey = name in ("l.png",) or (name == "j.tif" and number % 2)
            assert np.abs(red - (76 if grey else (255, 0, 0))).max() < 12
            page[EDIT] = original[EDIT]
        opaque = original[..., 3] > 0
        assert np.array_equal(page[..., 3], original[..., 3])
        difference = np.abs(page - original)[opaque].mean()
        assert difference == 0 if name in EXACT else difference < 1.5


@pytest.mark.parametrize("name", MADE)
def test_files_without_a_veil_are_copied(folder, tmp_path, name):
    (folder / name).write_bytes(MADE[name]())
    _, sink = published(folder, tmp_path / "out", set())
    if name != "m.avif":
        assert (tmp_path / "out" / name).read_bytes() == MADE[name]()
        assert sink.losses == []
    assert len(shown((tmp_path / "out" / name).read_bytes())[0]) == COUNT


@pytest.mark.parametrize("name", ["a.webp", "c.png", "f.gif", "i.tif", "k.jpg"])
@pytest.mark.parametrize("changed", [set(), {2}])
def test_nothing_hides_behind_an_animation(folder, tmp_path, name, changed):
    (folder / name).write_bytes(MADE[name]() + SECRET_JPEG)
    published(folder, tmp_path / "out", changed)
    after = (tmp_path / "out" / name).read_bytes()
    assert SECRET_JPEG[-300:-260] not in after
    assert len(carve(after)) == (COUNT - 1 if name == "k.jpg" else 0)
    assert len(shown(after)[0]) == COUNT


def test_frames_count_through_all_files(folder, tmp_path):
    for name in ("f.gif", "a.webp"):
        (folder / name).write_bytes(MADE[name]())
    FRAMES[0].save(folder / "c.png")
    source = open_source(folder, stills=True)
    found = [(frame.number, frame.name, frame.page) for frame in source]
    assert found == [
        *((number, "a.webp", number) for number in range(4)),
        (4, "c.png", 0),
        *((5 + number, "f.gif", number) for number in range(4)),
    ]
    assert source.frame_count == 9


@pytest.mark.parametrize("name", ["a.webp", "c.png", "i.tif"])
def test_a_file_with_a_damaged_frame_is_left_out_whole_and_named(folder, tmp_path, name):
    """Its good frames would be published as if they were all."""
    content = MADE[name]()
    kept = len(content) * 3 // 4
    behind = len(content) - kept if name == "i.tif" else 0
    (folder / name).write_bytes(content[:kept] + bytes(behind))
    FRAMES[0].save(folder / "z.png")
    source = open_source(folder, stills=True)
    with open_sink(tmp_path / "out", source) as sink:
        for frame in source:
            sink.write(frame, changed=False)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["z.png"]
    assert name in source.problems[0].where


def test_times_of_an_animated_png_are_exact(folder, tmp_path):
    """A third of a second is no whole number of milliseconds."""
    content = joined(FRAMES, "PNG", duration=DURATIONS, loop=0)
    at = content.index(b"fcTL") - 4
    control = content[at + 8 : at + 28] + b"\0\1\0\3" + content[at + 32 : at + 34]
    exact = content[:at] + chunk(b"fcTL", control) + content[at + 38 :]
    (folder / "a.png").write_bytes(exact)
    published(folder, tmp_path / "out", {0})
    after = (tmp_path / "out" / "a.png").read_bytes()
    assert after[after.index(b"fcTL") + 24 :].startswith(b"\0\1\0\3")


def test_views_are_found_where_the_index_is_wrong(folder, tmp_path):
    """Pillow writes wrong places from the third view on."""
    (folder / "a.mpo").write_bytes(joined(FRAMES, "MPO"))
    source, _ = published(folder, tmp_path / "out", {3})
    assert source.frame_count == COUNT
    pages, _, _ = shown((tmp_path / "out" / "a.mpo").read_bytes())
    assert len(pages) == COUNT
    assert np.abs(pages[3][EDIT][4:-4, 4:-4, :3] - (255, 0, 0)).max() < 30


def test_a_gain_map_is_no_view(folder, tmp_path):
    """HDR photos of phones hold a second, small picture: it shows the faces, too."""
    gain = saved(FRAMES[1], "JPEG", xmp=b"<x xmlns:hdrgm='http://ns.adobe.com/hdr-gain-map/1.0/'/>")
    (folder / "a.jpg").write_bytes(jpeg.join_views([saved(FRAMES[0], "JPEG"), gain]))
    source, sink = published(folder, tmp_path / "out", set())
    assert source.frame_count == 1
    after = (tmp_path / "out" / "a.jpg").read_bytes()
    assert carve(after) == []
    assert "gain map" in str(sink.losses[0])


def test_real_animations(shared_data, tmp_path):
    folder = shared_data / "odd" / "stills_animated"
    counts = {"a_webp_noface_first.webp": 2, "b_webp_face_first.webp": 3}
    counts |= {"d_apng_face_first.png": 3, "f_tiff_face_first.tif": 2}
    source, _ = published(folder, tmp_path / "out", {1, 3})
    assert source.frame_count == 10
    for name, count in counts.items():
        pages, times, loop = shown((tmp_path / "out" / name).read_bytes())
        _, expected_times, expected_loop = shown((folder / name).read_bytes())
        assert (len(pages), times, loop) == (count, expected_times, expected_loop)


def test_too_large_frames_are_refused(folder):
    (folder / "a.gif").write_bytes(b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0;")
    FRAMES[0].save(folder / "b.png")
    source = open_source(folder, stills=True)
    assert [frame.name for frame in source] == ["b.png"]
    with pytest.raises(InputError):
        next(iter(open_source(folder, stills=False)))


def test_an_animated_png_of_16_bits_keeps_its_frames_and_names_its_depth(tmp_path):
    """Every frame of it used to be unreadable."""
    path, target = tmp_path / "a.png", tmp_path / "o.png"
    with av.open(str(path), "w", format="apng") as output:
        stream = output.add_stream("apng", rate=5, width=160, height=96)
        stream.pix_fmt = "rgb48be"
        for number in range(COUNT):
            frame = av.VideoFrame.from_ndarray(numbered(number), "rgb24")
            frame = frame.reformat(format="rgb48be")
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    source = open_source(path)
    with open_sink(target, source) as sink:
        for frame in source:
            frame.planes().planes[0][EDIT] = 0
            sink.write(frame, changed=True)
    assert [str(loss) for loss in sink.losses] == [
        "a.png: 16 bits a sample: not kept (animated PNG is read with 8)"
    ]
    with Image.open(target) as picture:
        shown = [
            number_of(np.asarray(page.convert("RGB"))) for page in ImageSequence.Iterator(picture)
        ]
    assert shown == list(range(COUNT))
