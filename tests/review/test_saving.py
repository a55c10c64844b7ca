"""What a person changed is on the disk, whatever happens to the server or beside it."""

import json
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from faceveil.analysis import write_analysis
from faceveil.corrections.document import read_corrections
from faceveil.errors import InputError
from faceveil.media.open import open_source
from faceveil.review.preview import FramePlan
from faceveil.review.store import CorrectionsFile
from faceveil.veiling import render_frames
from testkit.made_review import Client, made_analysis, made_review, served


@pytest.fixture
def video(tmp_path):
    """A video with its analysis beside it."""
    write_analysis(made_analysis(tmp_path / "talk.mp4"), tmp_path / "talk.analysis.json")
    return tmp_path / "talk.mp4"


def start(video):
    """`faceveil review` in a process of its own, and a client of it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "faceveil", "review", video, "--no-browser", "--reviewer", "Ada"],
        stderr=subprocess.PIPE,
        text=True,
    )
    line = process.stderr.readline()
    found = re.search(r":(\d+)/\?token=(\S+)", line)
    assert found, line + process.stderr.read()
    return process, Client(int(found[1]), found[2])


def test_a_change_survives_a_killed_server(video):
    """kill -9 right after the answer: the change is there, and can still be undone."""
    process, client = start(video)
    client.correct("name", identity=0, name="Grace")
    process.kill()
    process.wait()
    process, client = start(video)
    assert client.get("people")["people"][0]["name"] == "Grace"
    client.post("undo", {"revision": client.get("state")["revision"]})
    assert client.get("people")["people"][0]["name"] is None
    process.kill()
    process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_in_order(video, number):
    """What was looked at a moment ago is saved, too, and the lock is gone."""
    process, client = start(video)
    client.post("looked", {"first": 3, "last": 9})
    process.send_signal(number)
    assert process.wait(60) == 0
    assert "Traceback" not in process.stderr.read()
    (entry,) = read_corrections(video.with_name("talk.corrections.json")).entries
    assert (entry.op, entry.by) == ("looked", "Ada")
    assert not list(video.parent.glob(".*"))


def test_a_second_review_of_the_same_corrections_is_refused(tmp_path):
    first = CorrectionsFile(tmp_path / "c.json")
    with pytest.raises(InputError, match="another review has it open"):
        CorrectionsFile(tmp_path / "c.json")
    first.close()
    CorrectionsFile(tmp_path / "c.json").close()


def test_a_file_changed_by_another_program_is_read_again_and_not_overwritten(tmp_path):
    path = tmp_path / "corrections.json"
    with served(*made_review(tmp_path / "talk.mp4")) as studio:
        studio.correct("name", identity=0, name="Ada")
        document = json.loads(path.read_text())
        document["entries"][0]["name"] = "Grace"
        time.sleep(0.01)
        path.write_text(json.dumps(document))
        body = {"revision": 2, "op": "name", "identity": 1, "name": "Eve"}
        assert studio.post("corrections", body, 409)["error"]["code"] == "elsewhere"
        assert studio.get("people")["people"][0]["name"] == "Grace"
        studio.correct("name", identity=1, name="Eve")
    assert len(read_corrections(path).entries) == 2


class _Kept:
    """A sink that keeps the samples of every frame."""

    def __init__(self):
        self.samples = []

    def write(self, frame, changed):
        self.samples.append([plane.copy() for plane in frame.planes().planes])


@pytest.mark.parametrize("op", [None, "keep", "draw"])
def test_the_veiled_view_has_the_samples_that_are_rendered(tmp_path, op):
    """The preview is what rendering writes, before it is encoded."""
    review, _ = made_review(tmp_path / "talk.mp4")
    if op == "keep":
        review.correct(1, {"op": "decide", "target": {"identity": 0}, "decision": "keep"})
    elif op == "draw":
        boxes = [{"frame": frame, "box": [400, 200, 460, 260]} for frame in (5, 20)]
        review.correct(1, {"op": "draw", "kind": "plate", "keyframes": boxes})
    table, sink = review.version.table, _Kept()
    render_frames(open_source(tmp_path / "talk.mp4"), table.analysis, sink, review.style)
    for frame in open_source(tmp_path / "talk.mp4"):
        if frame.number % 7 == 0:
            FramePlan.of(table, frame.number).veil(frame, review.style)
            for ours, theirs in zip(frame.planes().planes, sink.samples[frame.number], strict=True):
                np.testing.assert_array_equal(ours, theirs)
    review.close()
