"""Protects: what lies in S3 is what a folder would hold, whole, and says itself when it is all."""

import threading

import numpy as np
import orjson
import pytest
from PIL import Image

from faceveil.aws import s3
from faceveil.aws.s3 import S3Location
from faceveil.errors import InputError, OutputError, UsageError
from faceveil.faces import FaceSequence
from faceveil.frame_range import FrameRange
from faceveil.media import s3_frames, s3_sink
from faceveil.media.folder import FolderSource
from faceveil.media.folder_sink import FolderSink
from faceveil.media.s3_frames import S3Frames
from faceveil.media.s3_keys import FramePart
from faceveil.media.s3_sink import SUCCESS, S3FrameSink
from faceveil.veiling import render_frames
from testkit.carving import carve
from testkit.laden_pictures import ARTIST, EXIF, LADEN, exif_with, jpeg_with, saved, segment
from testkit.s3_media import EDIT, HEIGHT, WIDTH, encoded, picture, put_frames, wait_until, written
from testkit.servers.faulty_s3 import DROP, DROP_ANSWER, SLOW_DOWN, fail_first
from testkit.veil_removal import analysis_of


@pytest.fixture
def shaky(faulty, prefix, short_pauses, monkeypatch):
    """A new place, through the proxy."""
    monkeypatch.setattr(s3, "_PAUSE_SECONDS", 0.001)
    return S3Location.open(f"{prefix}a b/ü", faulty.url)


@pytest.fixture
def frames(shaky):
    return shaky.folder("frames")


@pytest.fixture
def veiled(shaky):
    return shaky.folder("veiled")


def edited(source, sink, numbers):
    """All frames through a source and a sink, those of these numbers changed."""
    with sink:
        for frame in source:
            if frame.number in numbers:
                frame.planes().planes[0][EDIT] = (255, 0, 0)
            sink.write(frame, changed=frame.number in numbers)


def edited_in_s3(frames, veiled, numbers, **options):
    source = S3Frames(frames)
    sink = S3FrameSink(veiled, source, **options)
    sink.expect(np.array(numbers, np.int64), np.ones(source.frame_count, bool))
    edited(source, sink, numbers)
    return source, sink


def edited_in_folders(contents, folder, numbers):
    """The same done on disk."""
    (folder / "in").mkdir()
    for name, content in contents.items():
        (folder / "in" / name).write_bytes(content)
    source = FolderSource(folder / "in")
    edited(source, FolderSink(folder / "out", source), numbers)
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("faceveil")]


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_s3_holds_what_a_folder_would(frames, veiled, tmp_path, suffix):
    contents = put_frames(frames, 12, "img{:07d}" + suffix)
    _, sink = edited_in_s3(frames, veiled, [3, 4, 11])
    outputs = written(veiled)
    assert orjson.loads(outputs.pop(SUCCESS)) == {"version": 1, "frames": 12}
    assert outputs == edited_in_folders(contents, tmp_path, [3, 4, 11])
    assert [item.name for item in sink.stored] == sorted(contents)
    kept = veiled.find("img0000001" + suffix)
    assert (kept.name, kept.etag) == sink.stored[0][:2]
    assert threads() == []


def test_png_is_bit_exact_outside_the_change(frames, veiled):
    put_frames(frames, 3)
    edited_in_s3(frames, veiled, [1])
    (found,) = [frame.rgb() for frame in S3Frames(veiled) if frame.number == 1]
    assert (found[EDIT] == (255, 0, 0)).all()
    found[EDIT] = picture(1)[EDIT]
    assert np.array_equal(found, picture(1))


def test_a_frame_without_veil_costs_one_copy_and_no_download(frames, veiled, faulty):
    """Through the renderer, with a face on frames 2 to 4 of 10."""
    put_frames(frames, 10)
    rows = np.arange(2, 5, dtype=np.int32)
    boxes = np.tile(np.float32([40, 20, 70, 60]), (3, 1))
    face = FaceSequence(rows, boxes, np.ones(3, np.float32), np.zeros(3, np.uint8))
    analysis = analysis_of([face], S3Frames(frames), 10)
    faulty.requests.clear()
    part = FramePart("img0000001.png", FrameRange(0, 10))
    source = S3Frames(frames, part, (WIDTH, HEIGHT))
    sink = S3FrameSink(veiled, source, part=True)
    sink.expect(rows, np.ones(10, bool))
    with sink:
        render_frames(source, analysis, sink)
    assert faulty.requests == {"LIST": 1, "GET": 3, "PUT": 3, "COPY": 7}
    changed = [
        number
        for number, content in enumerate(written(veiled).values())
        if content != encoded(number)
    ]
    assert changed == [2, 3, 4]


@pytest.mark.parametrize("is_known", [False, True])
def test_a_frame_that_may_hold_more_is_read_and_published_without(frames, veiled, faulty, is_known):
    """S3 copied thumbnails and movies behind the picture with every frame without a veil."""
    put_frames(frames, 6, "img{:07d}.jpg")
    frames.write("img0000003.jpg", LADEN["EXIF thumbnail.jpg"]())
    frames.write("img0000005.jpg", LADEN["movie behind.jpg"]())
    source = S3Frames(frames)
    sink = S3FrameSink(veiled, source)
    alone = np.array([True, True, False, True, False, True]) if is_known else None
    sink.expect(np.array([1]), alone)
    faulty.requests.clear()
    edited(source, sink, [1])
    assert faulty.requests["COPY"] == (3 if is_known else 0)
    outputs = written(veiled)
    assert outputs.pop(SUCCESS)
    assert [carve(content) for content in outputs.values()] == [[]] * 6
    assert outputs["img0000001.jpg"] == encoded(0, ".jpg")
    assert [(loss.what, loss.where) for loss in sink.losses] == [
        ("the EXIF thumbnail", "img0000003.jpg"),
        ("a movie behind the picture", "img0000005.jpg"),
    ]


def test_an_animation_among_the_frames_is_left_out_and_named(frames, veiled):
    put_frames(frames, 4)
    still = Image.fromarray(picture(0))
    frames.write(
        "img0000002.png",
        saved(still, "PNG", save_all=True, append_images=[Image.fromarray(picture(9))]),
    )
    source = S3Frames(frames)
    edited(source, S3FrameSink(veiled, source), [])
    assert sorted(written(veiled)) == [f"img000000{number}.png" for number in (1, 3, 4)]
    assert "holds 2 pictures" in source.problems[0].message


def test_stripped_frames_are_never_copied_as_they_are(frames, veiled, faulty):
    put_frames(frames, 2, "img{:07d}.jpg")
    frames.write("img0000001.jpg", jpeg_with(segment(0xE1, EXIF + exif_with(ARTIST))))
    source = S3Frames(frames)
    sink = S3FrameSink(veiled, source, strip_metadata=True)
    sink.expect(np.zeros(0, np.int64), np.ones(2, bool))
    faulty.requests.clear()
    edited(source, sink, [])
    assert faulty.requests["COPY"] == 0
    assert "Jörg".encode() not in written(veiled)["img0000001.jpg"]


@pytest.mark.parametrize("fault", [SLOW_DOWN, DROP, DROP_ANSWER])
def test_faults_on_the_way_lose_no_frame(frames, veiled, faulty, tmp_path, fault):
    contents = put_frames(frames, 30)
    faulty.rule = fail_first(fault, key=r"[147]\.png", operations=("PUT", "COPY", "GET"))
    edited_in_s3(frames, veiled, range(0, 30, 2))
    outputs = written(veiled)
    assert outputs.pop(SUCCESS)
    assert outputs == edited_in_folders(contents, tmp_path, range(0, 30, 2))
    assert (faulty.requests["COPY"], faulty.requests["PUT"]) == (15 + 3, 30 + 15 + 6 + 1)


@pytest.mark.parametrize("operation", ["PUT", "COPY"])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ((403, "AccessDenied"), "access denied"),
        ((400, "ExpiredToken"), "credentials"),
        (SLOW_DOWN, "too busy"),
    ],
)
def test_a_failure_leaves_nothing_that_looks_complete(
    frames, veiled, faulty, operation, fault, words
):
    put_frames(frames, 40)
    faulty.rule = fail_first(fault, 1000, operations=(operation,), key="veiled/img0000009")
    with pytest.raises(OutputError, match=words):
        edited_in_s3(frames, veiled, range(8) if operation == "COPY" else range(40))
    assert written(veiled) == {}
    assert threads() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_exception_deletes_what_was_written_but_of_a_part(frames, veiled, error):
    put_frames(frames, 5)
    for part in (False, True):
        source = S3Frames(frames)
        with pytest.raises(error), S3FrameSink(veiled, source, part=part) as sink:
            for frame in source:
                sink.write(frame, changed=False)
                if frame.number == 3:
                    assert wait_until(lambda: veiled.find("img0000002.png"))
                    raise error
        assert ("img0000002.png" in written(veiled)) == part
        assert SUCCESS not in written(veiled)
    assert threads() == []


def test_a_part_can_be_written_again_and_ends_with_the_same_objects(frames, veiled):
    put_frames(frames, 8)
    edited_in_s3(frames, veiled, [2], part=True)
    before = written(veiled)
    edited_in_s3(frames, veiled, [2], part=True)
    assert written(veiled) == before
    assert SUCCESS not in before


def test_a_frame_lost_or_replaced_before_it_is_copied_is_named_and_left_out(frames, veiled):
    """The new picture may show anybody."""
    put_frames(frames, 6)
    source = S3Frames(frames)
    sink = S3FrameSink(veiled, source)
    sink.expect(np.array([5]), np.ones(6, bool))
    frames.delete(["img0000002.png"])
    frames.write("img0000004.png", encoded(99))
    edited(source, sink, [5])
    assert sorted(written(veiled)) == [f"img000000{number}.png" for number in (1, 3, 5, 6)]
    assert [problem.where for problem in source.problems] == [
        "frame 1 (img0000002.png)",
        "frame 3 (img0000004.png)",
    ]
    assert "no such object" in source.problems[0].message
    assert "changed since" in source.problems[1].message


def test_the_prefix_must_be_empty_and_outside_the_input(frames, veiled):
    put_frames(frames, 2)
    source = S3Frames(frames)
    for place in (frames, frames.folder("out")):
        with pytest.raises(UsageError, match="is the input or lies inside it"):
            S3FrameSink(place, source)
    veiled.write("old/1.png", b"")
    with pytest.raises(UsageError, match=r"holds objects already, such as old/1\.png"):
        S3FrameSink(veiled, source)
    S3FrameSink(veiled, source, part=True)


def test_no_frame_is_no_output(frames, veiled):
    put_frames(frames, 2)
    with (
        pytest.raises(OutputError, match="no frame was written"),
        S3FrameSink(veiled, S3Frames(frames)),
    ):
        pass
    assert written(veiled) == {}


@pytest.mark.parametrize(("module", "name"), [(s3_sink, "REQUESTS"), (s3_frames, "MOST_THREADS")])
def test_writing_is_bounded(frames, veiled, faulty, monkeypatch, module, name):
    """However slow S3 is: two copies at a time and two that wait, or as many frames in memory."""
    monkeypatch.setattr(module, name, 2)
    put_frames(frames, 20)
    passed, going_on = [], threading.Event()
    stopped = ("COPY", "PUT")
    faulty.rule = lambda request: going_on.wait(10) and None if request[0] in stopped else None
    source = S3Frames(frames)
    sink = S3FrameSink(veiled, source)
    sink.expect(np.zeros(0, np.int64), np.ones(20, bool))

    def write():
        with sink:
            for frame in source:
                sink.write(frame, changed=module is s3_frames)
                passed.append(frame.number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert wait_until(lambda: len(passed) == 4)
        assert not wait_until(lambda: len(passed) > 4, seconds=0.3)
    finally:
        going_on.set()
        writer.join()
    assert len(written(veiled)) == 21


def test_pictures_of_a_folder_go_to_s3_with_their_names(veiled, tmp_path):
    contents = {f"a{number}.jpg": encoded(number, ".jpg") for number in range(3)}
    expected = edited_in_folders(contents, tmp_path, [1])
    source = FolderSource(tmp_path / "in")
    edited(source, S3FrameSink(veiled, source), [1])
    outputs = written(veiled)
    assert outputs.pop(SUCCESS)
    assert outputs == expected
    frames = list(source)
    (tmp_path / "in" / "a1.jpg").unlink()
    with (
        pytest.raises(InputError, match=r"a1\.jpg cannot be read"),
        S3FrameSink(veiled.folder("again"), source) as sink,
    ):
        for frame in frames:
            sink.write(frame, changed=False)
