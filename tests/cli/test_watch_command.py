"""`faceveil watch`: what arrives is veiled once, also when it is still written or fails."""

import json
import threading
import time

import pytest

from faceveil.cli.main import main
from testkit.clips import make_clip, write_video


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
