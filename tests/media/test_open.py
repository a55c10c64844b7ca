"""Protects: the input is never written to, and what cannot work is said before work starts."""

import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from faceveil.errors import InputError, OutputError, UsageError
from faceveil.media.folder import FolderSource
from faceveil.media.open import open_sink, open_source
from faceveil.media.video import VideoSource
from testkit.made_media import make_video, numbered


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "in.mp4"
    make_video(path, range(3))
    return path


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "frames"
    path.mkdir()
    Image.fromarray(numbered(0)).save(path / "1.png")
    return path


def test_a_folder_is_pictures_and_a_file_a_video(video, folder):
    assert isinstance(open_source(video), VideoSource)
    assert isinstance(open_source(folder), FolderSource)
    with pytest.raises(UsageError, match="stills"):
        open_source(video, stills=True)
    with pytest.raises(InputError, match="nothing"):
        open_source(Path("nothing"))


def test_never_onto_the_input(video, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.mp4").symlink_to(video)
    (tmp_path / "hard.mp4").hardlink_to(video)
    (tmp_path / "here").symlink_to(tmp_path)
    before = video.read_bytes()
    for target in ("in.mp4", "./in.mp4", "link.mp4", "hard.mp4", "here/in.mp4", video):
        with pytest.raises(UsageError, match="input"):
            open_sink(Path(target), VideoSource(video))
    (tmp_path / "also").symlink_to(folder)
    for target in ("frames", "also", "frames/out", "also/out", "frames/new.mp4"):
        with pytest.raises(UsageError, match="input"):
            open_sink(Path(target), FolderSource(folder))
    assert video.read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["1.png"]


def test_the_input_behind_a_link_is_never_written_to(video, tmp_path):
    (tmp_path / "link.mp4").symlink_to(video)
    with pytest.raises(UsageError, match="input"):
        open_sink(video, open_source(tmp_path / "link.mp4"))


def test_a_missing_output_folder_is_named(video, tmp_path):
    with pytest.raises(OutputError, match="nowhere"):
        open_sink(tmp_path / "nowhere" / "out.mp4", VideoSource(video))


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are of another kind there")
def test_a_folder_that_may_not_be_written_to_is_named(video, tmp_path):
    if os.geteuid() == 0:
        closed = Path("/proc")  # which refuses even root
        with (
            pytest.raises(OutputError, match="proc"),
            open_sink(closed / "out.mp4", VideoSource(video)),
        ):
            pytest.fail("the block must not be entered")
        return
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(OutputError, match="closed"):
        open_sink(closed / "out.mp4", VideoSource(video))


def test_a_folder_named_like_a_video_is_refused(video, tmp_path):
    (tmp_path / "out.mp4").mkdir()
    with pytest.raises(UsageError, match="folder"):
        open_sink(tmp_path / "out.mp4", VideoSource(video))


def test_unrelated_pictures_make_no_video(folder, tmp_path):
    with pytest.raises(UsageError, match="unrelated"):
        open_sink(tmp_path / "out.mp4", open_source(folder, stills=True))
