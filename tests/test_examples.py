"""The examples run as they stand, on a real clip, and do what they say."""

import runpy
import sys
from pathlib import Path

import av
import pytest

from testkit.clips import make_clip, write_video
from testkit.portraits import portrait_path

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
FRAME_COUNT = 24


@pytest.fixture(scope="module")
def clip():
    return make_clip(320, 180, frame_count=FRAME_COUNT)


@pytest.fixture(scope="module")
def video(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("examples") / "talk.mp4"
    write_video(clip, path)
    return path


def run(name, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def face_centre(clip):
    x1, y1, x2, y2 = clip.truth.boxes[0].tolist()
    return int(clip.truth.frames[0]), (x1 + x2) / 2, (y1 + y2) / 2


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("every_face.py", lambda clip: (), "all of them under a veil"),
        ("keep_by_photo.py", lambda clip: (portrait_path("obama3"),), "kept, matches obama3"),
        ("pick_by_point.py", face_centre, "sequences kept"),
        ("own_recognizer.py", lambda clip: (), "identities by colour-histogram"),
        ("own_stage.py", lambda clip: (5, 10), "shots start at [0, 5, 10]"),
    ],
)
def test_example(name, arguments, said, clip, video, tmp_path, monkeypatch, capsys):
    run(name, monkeypatch, video, tmp_path / "o.mp4", *arguments(clip))
    assert said in capsys.readouterr().out
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == FRAME_COUNT


def test_every_example_is_run():
    names = {path.name for path in EXAMPLES.glob("*.py")}
    tested = {mark.args[1][i][0] for mark in test_example.pytestmark for i in range(5)}
    assert names == tested | {"backend.py"}
    assert (Path(__file__).parent / "review" / "test_example_backend.py").exists()
