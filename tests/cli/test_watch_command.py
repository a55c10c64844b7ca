"""`faceveil watch`: what arrives is veiled once, also when it is still written or fails."""

import json
import signal
import subprocess
import sys
import threading
import time

import pytest

from faceveil.aws.s3 import S3Location
from faceveil.cli import watch as watch_command
from faceveil.cli.main import main
from faceveil.errors import InputError
from testkit.clips import make_clip, write_video
from testkit.s3_media import wait_until


def watch(*words):
    fast = ("--every", "0.3", "--once", "--detector", "mtcnn", "--quiet")
    return main(["watch", *map(str, words), *fast])


@pytest.fixture
def inbox(tmp_path):
    (tmp_path / "in").mkdir()
    write_video(make_clip(240, 136, frame_count=8), tmp_path / "in" / "a.mp4")
    return tmp_path / "in"


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_what_is_there_is_veiled_once_and_failures_are_not_repeated(inbox, tmp_path, capsys):
    out = tmp_path / "out"
    (inbox / "broken.mp4").write_bytes(b"no video")
    (inbox / ".hidden.mp4").write_bytes(b"x")
    (inbox / "notes.txt").write_text("x")
    assert watch(inbox, out) == 3
    assert visible(out) == ["a.mp4"]
    assert list(json.loads((out / ".faceveil-failed.json").read_text())) == ["broken.mp4"]
    before = (out / "a.mp4").stat().st_mtime_ns
    capsys.readouterr()
    assert watch(inbox, out) == 0
    assert "broken" not in capsys.readouterr().err
    assert (out / "a.mp4").stat().st_mtime_ns == before
    (inbox / "broken.mp4").write_bytes((inbox / "a.mp4").read_bytes())
    assert watch(inbox, out) == 0
    assert visible(out) == ["a.mp4", "broken.mp4"]
    assert json.loads((out / ".faceveil-failed.json").read_text()) == {}


def test_a_file_that_is_still_written_is_waited_for(inbox, tmp_path):
    whole = (inbox / "a.mp4").read_bytes()
    (inbox / "a.mp4").unlink()

    def write_slowly():
        with (inbox / "slow.mp4").open("wb") as file:
            for start in range(0, len(whole), len(whole) // 10):
                file.write(whole[start : start + len(whole) // 10])
                file.flush()
                time.sleep(0.1)

    writer = threading.Thread(target=write_slowly)
    writer.start()
    time.sleep(0.05)
    assert watch(inbox, tmp_path / "out") == 0
    writer.join()
    assert visible(tmp_path / "out") == ["slow.mp4"]


def test_one_command_watches_at_a_time(inbox, tmp_path, capsys):
    from filelock import FileLock

    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".faceveil-watch.lock"):
        assert watch(inbox, tmp_path / "out") == 2
    assert "another `faceveil watch`" in capsys.readouterr().err
    assert watch(inbox, inbox) == 2
    assert watch(tmp_path / "none", tmp_path / "out") == 3


def test_a_video_that_changes_is_named_and_veiled_again_on_request(inbox, tmp_path, capsys):
    """A newer version under the same name is never taken for the one that was veiled."""
    out = tmp_path / "out"
    assert watch(inbox, out) == 0
    before = (out / "a.mp4").read_bytes()
    write_video(make_clip(240, 136, frame_count=12), inbox / "a.mp4")
    words = ("watch", inbox, out, "--every", "0.3", "--once", "--detector", "mtcnn")
    assert main([*map(str, words)]) == 0
    assert "a.mp4: has changed, and its output is kept" in capsys.readouterr().err
    assert (out / "a.mp4").read_bytes() == before
    assert watch(inbox, out, "--overwrite") == 0
    assert (out / "a.mp4").read_bytes() != before


def test_files_that_are_no_videos_are_named_once_and_reports_have_folders(inbox, tmp_path, capsys):
    (inbox / "notes.txt").write_text("x")
    (inbox / "sub").mkdir()
    words = ("watch", inbox, tmp_path / "out", "--every", "0.1", "--once", "--detector", "mtcnn")
    assert main([*map(str, words), "--report", str(tmp_path / "reports")]) == 0
    said = capsys.readouterr().err
    assert said.count("notes.txt: left out") == said.count("sub/: left out") == 1
    assert visible(tmp_path / "reports") == ["a.mp4.report.json"]


def test_a_video_of_the_same_stem_that_comes_later_has_an_output_of_its_own(inbox, tmp_path):
    """The output of a.avi is a.mp4: an a.mp4 that arrives later must not count as done."""
    out = tmp_path / "out"
    (inbox / "a.mp4").rename(inbox / "a.avi")  # FFmpeg looks at the content
    assert watch(inbox, out) == 0
    assert visible(out) == ["a.mp4"]
    first = (out / "a.mp4").read_bytes()
    write_video(make_clip(240, 136, frame_count=12), inbox / "a.mp4")
    assert watch(inbox, out) == 0
    assert visible(out) == ["a.mp4", "a.mp4.mp4"]
    assert (out / "a.mp4").read_bytes() == first
    assert watch(inbox, out) == 0
    assert visible(out) == ["a.mp4", "a.mp4.mp4"]


@pytest.fixture
def place(s3_url, prefix, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
    return S3Location.open(prefix)


def test_a_prefix_of_s3_is_watched_and_a_failure_stops_nothing(place, inbox, tmp_path, capsys):
    out = tmp_path / "out"
    place.upload("a.mp4", inbox / "a.mp4")
    place.write("bad.mp4", b"no video")
    place.write("notes.txt", b"x")
    place.folder("below").write("b.mp4", b"x")
    assert watch(place.uri(), out) == 3
    assert visible(out) == ["a.mp4"]
    assert list(json.loads((out / ".faceveil-failed.json").read_text())) == ["bad.mp4"]
    before = (out / "a.mp4").stat().st_mtime_ns
    assert watch(place.uri(), out) == 0
    place.upload("bad.mp4", inbox / "a.mp4")
    assert watch(place.uri(), out) == 0
    assert visible(out) == ["a.mp4", "bad.mp4"]
    assert (out / "a.mp4").stat().st_mtime_ns == before
    assert watch(place.folder("none").uri(), tmp_path / "empty") == 0
    capsys.readouterr()
    assert watch(f"s3://no-such-{place.bucket}/x/", tmp_path / "empty") == 3
    assert "there is no such bucket" in capsys.readouterr().err
    assert watch(inbox, place.uri()) == 2


def test_a_prefix_is_watched_through_arrivals_changes_and_restarts(place, inbox, tmp_path):
    """The command as a user runs it: stopped in the middle, started again, fed meanwhile."""
    out = tmp_path / "out"
    incoming = out / ".faceveil-incoming"
    command = [sys.executable, "-m", "faceveil", "watch", str(place.uri()), str(out)]
    command += ["--every", "0.2", "--detector", "mtcnn"]

    def started():
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    process = started()
    try:
        place.upload("a.mp4", inbox / "a.mp4")
        assert wait_until((out / "a.mp4").exists, 60)
        place.upload("b.mp4", inbox / "a.mp4")
        assert wait_until(lambda: incoming.exists() or (out / "b.mp4").exists(), 60)
    finally:
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 143
    assert "run the same command again to continue" in said
    assert not incoming.exists()
    process = started()
    try:
        assert wait_until((out / "b.mp4").exists, 60)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert visible(out) == ["a.mp4", "b.mp4"]
    assert not incoming.exists()


def test_a_listing_that_fails_is_told_and_tried_again(inbox, tmp_path, capsys, monkeypatch):
    """The network comes back: a watch over a night must not end with its first failure."""
    fails = iter([False, True, False, False])
    original = watch_command._Folder.list

    def listed(self):
        failing = next(fails, None)
        if failing is None:
            raise KeyboardInterrupt
        if failing:
            raise InputError("s3://media/incoming/: cannot be reached")
        return original(self)

    monkeypatch.setattr(watch_command._Folder, "list", listed)
    words = ("watch", inbox, tmp_path / "out", "--every", "0.1", "--detector", "mtcnn", "--quiet")
    assert main([*map(str, words)]) == 130
    assert "cannot be reached" in capsys.readouterr().err
    assert visible(tmp_path / "out") == ["a.mp4"]
