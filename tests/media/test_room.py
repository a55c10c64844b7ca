"""Protects: a full disk is told before work starts, and one that fills up later loses nothing."""

import os
import subprocess
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from faceveil.cli.main import main
from faceveil.errors import OutputError
from faceveil.media import folder_sink, video_sink
from faceveil.media.folder import FolderSource
from faceveil.media.frames import EncodeOptions
from faceveil.media.matte import open_matte
from faceveil.media.open import open_sink, open_source
from faceveil.media.room import matte_bytes
from faceveil.media.video import VideoSource
from testkit.clips import make_clip, write_frames, write_video
from testkit.made_media import frame_times, make_video
from testkit.video_files import pass_through


@pytest.fixture
def disk_of(tmp_path):
    """A function that makes a disk of so many kilobytes."""
    made = []

    def make(kilobytes):
        disk = tmp_path / f"disk{len(made)}"
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(disk)]
        try:
            done = subprocess.run(command, capture_output=True, check=False, text=True)
        except FileNotFoundError:
            pytest.skip("there is no mount command to make a full disk with")
        if done.returncode:
            pytest.skip(f"a full disk needs root to mount one: {done.stderr.strip()}")
        made.append(disk)
        return disk

    yield make
    for disk in made:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def read_only(disk_of):
    """A folder of a disk that is mounted read-only: root may write to every other."""
    disk = disk_of(1100)
    (disk / "o").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    return disk


@pytest.fixture
def tiny_disk(disk_of):
    return disk_of(200)


@pytest.fixture(scope="module")
def clip():
    return make_clip(320, 180, frame_count=100)


@pytest.fixture
def video(clip, tmp_path):
    write_video(clip, tmp_path / "talk.mp4")
    return tmp_path / "talk.mp4"


@pytest.fixture
def short(tmp_path):
    write_video(make_clip(320, 180, frame_count=40), tmp_path / "talk.mp4")
    return tmp_path / "talk.mp4"


@pytest.mark.parametrize(
    ("name", "options"),
    [("o.mp4", {}), ("o.mkv", {"crf": 0}), ("o.mov", {"codec": "prores"}), ("o/", {})],
)
def test_an_estimate_is_less_than_what_is_written_and_not_nothing(name, options, video, tmp_path):
    """One that is too high would refuse what fits."""
    source = open_source(video)
    with open_sink(f"{tmp_path}/{name}", source, EncodeOptions(**options)) as sink:
        for frame in source:
            sink.write(frame, changed=False)
    target = tmp_path / name
    files = target.iterdir() if target.is_dir() else [target]
    written = sum(path.stat().st_size for path in files)
    assert written / 10 < sink.needed < written


def test_pictures_need_as_much_as_they_take_now(clip, tmp_path):
    write_frames(clip, tmp_path / "frames")
    source = open_source(tmp_path / "frames")
    sink = open_sink(tmp_path / "out", source)
    assert sink.needed == sum(path.stat().st_size for path in (tmp_path / "frames").iterdir())
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.png")
    sink = open_sink(tmp_path / "b.png", FolderSource(tmp_path / "a.png", stills=True))
    assert sink.needed == (tmp_path / "a.png").stat().st_size


@pytest.mark.parametrize("name", ["m.mov", "m/"])
def test_mattes_take_more_than_is_asked_for_and_not_nothing(name, video, tmp_path):
    source = open_source(video)
    with open_matte(f"{tmp_path}/{name}", source) as sink:
        for frame in source:
            sink.write(frame, np.zeros((frame.height, frame.width), np.uint8))
    target = tmp_path / name
    files = target.iterdir() if target.is_dir() else [target]
    written = sum(path.stat().st_size for path in files)
    assert written / 10 < matte_bytes(source, is_video=not target.is_dir()) < written


def test_room_for_mattes_is_asked_for_together_with_the_output(video, tmp_path, disk_of):
    """Each alone fits, the video and its matte do not."""
    disk, source = disk_of(1100), open_source(video)
    output = open_sink(disk / "o.mp4", source)
    output.needed = 1_090_000
    open_matte(disk / "m.mov", source)
    open_matte(tmp_path / "m.mov", source, output=output)
    with pytest.raises(OutputError, match=r"the matte with the output needs about 1\.1 MB"):
        open_matte(disk / "m.mov", source, output=output)


def test_what_does_not_fit_is_refused_before_any_work(
    clip, video, tmp_path, disk_of, capsys, monkeypatch
):
    disk = disk_of(1100)
    write_frames(clip, tmp_path / "frames")
    monkeypatch.setattr("faceveil.media.matte.matte_bytes", lambda *_, **__: 2_000_000)
    cases = [
        (video, tmp_path / "o.mp4", ("--matte", disk / "m.mov")),
        (video, disk / "o.mov", ("--codec", "prores")),
        (video, f"{disk}/o/", ()),
        (tmp_path / "frames", f"{disk}/p/", ()),
    ]
    for source, target, more in cases:
        words = ("veil", source, target, "--detector", "mtcnn", *more)
        assert main([*map(str, words)]) == 5
        said = capsys.readouterr().err
        assert "needs about" in said
        assert "1.1 MB are free" in said
        assert "people" not in said
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize(
    ("target", "more"),
    [
        ("o.mp4", ()),
        ("o/", ()),
        ("new/", ()),
        ("-", ("--report", "r.json")),
        ("-", ("--analysis", "a.json")),
        ("-", ("--matte", "m.mov")),
        ("-", ("--contact-sheet", "c.png")),
        ("-", ("--crops", "crops")),
    ],
)
def test_a_disk_that_is_read_only_is_told_before_any_work(
    target, more, video, read_only, tmp_path, capsys
):
    output = tmp_path / "o.mp4" if target == "-" else f"{read_only}/{target}"
    more = [word if word.startswith("--") else read_only / word for word in more]
    words = ("veil", video, output, "--detector", "mtcnn", *more)
    assert main([*map(str, words)]) == 5
    (line,) = capsys.readouterr().err.splitlines()
    assert str(read_only) in line
    assert "may not be written" in line or "read-only" in line.lower()
    assert list(tmp_path.glob("*.mp4")) == [video]


@pytest.mark.parametrize(("target", "input_name"), [("o.mkv", "video"), ("o/", "short")])
def test_a_disk_that_fills_up_while_working_is_one_line(
    target, input_name, request, disk_of, capsys, monkeypatch
):
    """An estimate may be too low: then there is one line, and no half file."""
    for module, name in ((video_sink, "video_bytes"), (folder_sink, "pictures_bytes")):
        monkeypatch.setattr(module, name, lambda *_: 0)
    disk = disk_of(1100)
    (disk / "kept").write_bytes(b"x")
    source = request.getfixturevalue(input_name)
    words = ("veil", source, f"{disk}/{target}", "--crf", "0", "--quiet", "--detector", "mtcnn")
    assert main([*map(str, words), "--progress", "none"]) == 5
    (line,) = capsys.readouterr().err.splitlines()
    assert "no space left on the disk after" in line
    assert "MB are needed" in line
    assert [path.name for path in disk.iterdir()] == ["kept"]


def test_a_report_that_does_not_fit_loses_no_video(short, disk_of, tmp_path, capsys, monkeypatch):
    disk = disk_of(1100)

    def full(*_):
        (disk / "ballast").write_bytes(b"")
        with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1024))

    monkeypatch.setattr("faceveil.rendering._report_of", lambda *_: full() or {"x": "y" * 5000})
    words = ("veil", short, tmp_path / "o.mp4", "--report", disk / "r.json", "--quiet")
    assert main([*map(str, words), "--detector", "mtcnn", "--progress", "none"]) == 5
    assert "No space left" in capsys.readouterr().err
    assert (tmp_path / "o.mp4").exists()
    assert [path.name for path in disk.iterdir()] == ["ballast"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_is_told_and_cleaned_up(tmp_path, tiny_disk, suffix, monkeypatch):
    make_video(tmp_path / "in.mp4", range(100), size=(320, 240))
    source = VideoSource(tmp_path / "in.mp4")
    options = EncodeOptions(crf=0)
    monkeypatch.setattr(video_sink, "video_bytes", lambda *_: 0)
    with (
        pytest.raises(OutputError, match=r"no space left.* MB"),
        open_sink(tiny_disk / f"out{suffix}", source, options) as sink,
    ):
        for frame in source:
            frame.planes().planes[0][:] = np.random.default_rng(frame.number).integers(
                0, 256, (240, 320), np.uint8
            )
            sink.write(frame, changed=True)
    assert list(tiny_disk.iterdir()) == []


@pytest.mark.parametrize("spare", [200, 600, 2000, 5000])
def test_a_disk_full_at_the_very_end_is_noticed(tmp_path, tiny_disk, spare):
    path, whole = tmp_path / "in.mp4", tmp_path / "whole.mkv"
    make_video(path, range(30))
    pass_through(path, whole)
    available = os.statvfs(tiny_disk)
    free = available.f_bavail * available.f_frsize
    (tiny_disk / "ballast").write_bytes(bytes(free - max(4096, whole.stat().st_size - spare)))
    source = VideoSource(path)
    target = tiny_disk / "out.mkv"
    try:
        with open_sink(target, source) as sink:
            for frame in source:
                sink.write(frame, changed=False)
    except OutputError:
        assert [file.name for file in tiny_disk.iterdir()] == ["ballast"]
    else:  # a file system stores whole pages: it may just have fitted
        assert target.stat().st_size == whole.stat().st_size
        assert len(frame_times(target)) == 30
