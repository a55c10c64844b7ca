"""A matte has the frames, times, size and rotation of its video, black and white as given."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from faceveil import render
from faceveil.errors import OutputError, UsageError
from faceveil.media.matte import open_matte
from faceveil.media.open import open_sink, open_source
from faceveil.veils.render import veil_opacity
from faceveil.veils.styles import VeilStyle
from testkit.made_media import frame_times, make_video, numbered
from testkit.made_review import FRAMES, HEIGHT, WIDTH, made_analysis


def a_matte(frame):
    """A ramp that moves with the frame, of every grey there is."""
    ramp = np.linspace(0, 255, frame.width) + 7 * frame.number
    return np.tile((ramp % 256).astype(np.uint8), (frame.height, 1))


def write(source, path, matte=a_matte):
    with open_matte(path, source) as sink:
        for frame in source:
            sink.write(frame, matte(frame))


def grey_frames(path):
    """What an editing program reads: luma of limited range as 0 to 255."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            luma = np.frombuffer(plane, np.uint16).reshape(plane.height, -1)[:, : plane.width]
            step = 1 << frame.format.components[0].bits - 8
            yield (luma.astype(float) / step - 16) * 255 / 219


@pytest.mark.parametrize(
    "times", [range(20), [0, 1, 2, 5, 6, 40, 41, 200]], ids=["even", "variable rate"]
)
def test_frames_and_times_are_those_of_the_video(tmp_path, times):
    make_video(tmp_path / "in.mp4", times, audio=("aac",), time_base=Fraction(1, 25))
    write(open_source(tmp_path / "in.mp4"), tmp_path / "matte.mov")
    assert frame_times(tmp_path / "matte.mov") == frame_times(tmp_path / "in.mp4")
    with av.open(str(tmp_path / "matte.mov")) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert container.streams.video[0].codec_context.name == "prores"
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_the_matte_of_a_rendering_is_read_back_frame_for_frame(tmp_path):
    """An editing program lays it over the video: each frame is white where the renderer veiled that
    very frame and black elsewhere, at the frame's time, and the matte has no alpha."""
    analysis = made_analysis(tmp_path / "in.mp4")
    uneven = [2 * number + number * number // 50 for number in range(FRAMES)]
    make_video(tmp_path / "in.mp4", uneven, Fraction(1, 50), size=(WIDTH, HEIGHT))
    source = open_source(tmp_path / "in.mp4")
    look = VeilStyle("square")
    matte = open_matte(tmp_path / "matte.mov", source)
    sink = open_sink(tmp_path / "out.mp4", source)
    render(source, analysis, sink, look, verification=None, matte=matte)

    times = frame_times(tmp_path / "in.mp4")
    assert frame_times(tmp_path / "matte.mov") == frame_times(tmp_path / "out.mp4") == times
    assert len(set(np.diff(np.array(times, float)).round(6))) > 1
    with av.open(str(tmp_path / "matte.mov")) as container:
        context = container.streams.video[0].codec_context
        assert (context.codec_tag, context.pix_fmt) == ("apch", "yuv422p10le")
        assert context.color_range == 1 and context.colorspace == 1
    found = list(grey_frames(tmp_path / "matte.mov"))
    assert len(found) == FRAMES
    for number, grey in enumerate(found):
        boxes = [item.box_at(number) for item in analysis.sequences if number in item.frames]
        expected = veil_opacity(np.array(boxes), look, WIDTH, HEIGHT)
        assert set(np.unique(expected)) == {0, 255}
        assert np.abs(grey - expected).max() < 6


@pytest.mark.parametrize("width", [160, 161])
def test_black_and_white_are_within_a_level_and_the_size_is_kept(tmp_path, width):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(4):
        Image.fromarray(numbered(number, width, 96)).save(folder / f"img{number + 1:07d}.png")

    def blocks(frame):
        matte = np.zeros((frame.height, frame.width), np.uint8)
        matte[20:60, 30 + frame.number : 80] = 255
        return matte

    source = open_source(folder)
    write(source, tmp_path / "matte.mov", blocks)
    found = list(grey_frames(tmp_path / "matte.mov"))
    assert len(found) == 4
    for frame, grey in zip(source, found, strict=True):
        assert grey.shape == (96, width)
        assert np.abs(grey - blocks(frame)).max() < 2


def test_a_turned_video_has_a_matte_that_is_turned_alike(tmp_path):
    make_video(tmp_path / "in.mp4", range(5), rotation=90)
    source = open_source(tmp_path / "in.mp4")
    assert source.width < source.height

    def top(frame):
        matte = np.zeros((frame.height, frame.width), np.uint8)
        matte[: frame.height // 2] = 255
        return matte

    write(source, tmp_path / "matte.mov", top)
    again = open_source(tmp_path / "matte.mov")
    assert (again.width, again.height) == (source.width, source.height)
    picture = next(iter(again)).rgb()
    assert picture[: source.height // 2 - 8].min() > 245
    assert picture[source.height // 2 + 8 :].max() < 10


def test_a_folder_holds_exact_pictures_under_the_names_of_the_frames(tmp_path):
    make_video(tmp_path / "in.mp4", range(3))
    source = open_source(tmp_path / "in.mp4")
    write(source, f"{tmp_path / 'matte'}/")
    names = sorted(path.name for path in (tmp_path / "matte").iterdir())
    assert names == [f"img{number:07d}.png" for number in (1, 2, 3)]
    for frame, name in zip(source, names, strict=True):
        np.testing.assert_array_equal(
            np.array(Image.open(tmp_path / "matte" / name)), a_matte(frame)
        )


def test_stills_of_one_stem_keep_a_matte_each(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "a.jpg", "img0000001.jpg"):
        Image.fromarray(numbered(1)).save(folder / name)
    write(open_source(folder, stills=True), tmp_path / "matte")
    names = {path.name for path in (tmp_path / "matte").iterdir()}
    assert names == {"a.png", "a.jpg.png", "img0000001.png"}


@pytest.mark.parametrize("name", ["matte.mp4", "matte.mkv", "matte.png"])
def test_other_extensions_are_refused_with_what_to_use(tmp_path, name):
    make_video(tmp_path / "in.mp4", range(3))
    with pytest.raises(UsageError, match=r"\.mov file"):
        open_matte(tmp_path / name, open_source(tmp_path / "in.mp4"))


def test_a_matte_is_never_written_onto_the_input_nor_nowhere(tmp_path):
    make_video(tmp_path / "in.mov", range(3))
    source = open_source(tmp_path / "in.mov")
    with pytest.raises(UsageError, match="this is the input"):
        open_matte(tmp_path / "in.mov", source)
    with pytest.raises(OutputError, match="does not exist"):
        open_matte(tmp_path / "nowhere" / "m.mov", source)


def test_an_error_leaves_nothing_behind(tmp_path):
    make_video(tmp_path / "in.mp4", range(3))
    source = open_source(tmp_path / "in.mp4")
    for path in (tmp_path / "matte.mov", tmp_path / "matte"):
        with pytest.raises(RuntimeError), open_matte(path, source) as sink:
            for frame in source:
                sink.write(frame, a_matte(frame))
                raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
