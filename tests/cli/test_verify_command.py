"""The verification step of a run and `faceveil verify`: what shows a face is not published."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from faceveil import veiling
from faceveil.analysis import read_analysis
from faceveil.cli.main import main
from faceveil.media.frames import EncodeOptions
from faceveil.media.open import open_sink, open_source
from faceveil.media.video_sink import VideoSink
from faceveil.schemas import load_schema
from faceveil.veils.styles import VeilStyle
from testkit.clips import make_clip, write_frames, write_video
from testkit.veil_removal import draw_removal, render_without

COUNT = 24
BARED = range(9, 14)
"""Frames that a broken renderer leaves as they are."""


def run(*words):
    return main([*map(str, words), "--quiet", "--detector", "mtcnn"])


@pytest.fixture(scope="module")
def clip():
    return make_clip(320, 180, frame_count=COUNT, seed=3)


@pytest.fixture(scope="module")
def video(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "talk.mp4"
    write_video(clip, path)
    return path


@pytest.fixture(scope="module")
def analysis(video):
    path = video.with_name("analysis.json")
    assert run("analyse", video, path, "--features", video.with_name("features.npz")) == 0
    return path


@pytest.fixture
def broken(monkeypatch):
    """A renderer that leaves some frames as they are."""
    veil = veiling.veil_frame_of

    def veil_most(frame, *rest):
        return frame.number not in BARED and veil(frame, *rest)

    monkeypatch.setattr(veiling, "veil_frame_of", veil_most)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def report_of(path):
    report = json.loads(path.read_text())
    jsonschema.validate(report, load_schema("report"))
    return report


def test_a_correct_run_is_published_and_says_what_was_looked_at(video, analysis, tmp_path, capsys):
    words = ["render", video, analysis, tmp_path / "o.mp4", "--report", tmp_path / "r.json"]
    words += ["--features", video.with_name("features.npz"), "--detector", "mtcnn"]
    assert main([*map(str, words)]) == 0
    assert names(tmp_path) == ["o.mp4", "r.json"]
    report = report_of(tmp_path / "r.json")
    found = report["verification"]
    boxes = report["boxes"]["veiled"]
    assert found["frames"] == COUNT
    assert found["veils"] == pytest.approx(sum(boxes.values()), abs=2)  # without slivers
    assert found["looked_at"] >= 1
    assert found["recognised"]
    assert found["violations"] == []
    assert report["veil"]["name"] == "round"
    assert set(report["seconds"]) == {"render", "verify"}
    assert f"{found['veils']} veils compared" in capsys.readouterr().err


def test_an_output_that_shows_a_face_is_not_published(video, analysis, broken, tmp_path, capsys):
    output, crops = tmp_path / "o.mp4", tmp_path / "crops"
    words = ["render", video, analysis, output, "--report", tmp_path / "r.json", "--crops", crops]
    for again in ([], ["--overwrite"]):  # the second replaces what the first set aside
        assert run(*words, *again) == 4
        assert names(tmp_path) == ["crops", "o.mp4.unverified", "r.json"]
    message = capsys.readouterr().err
    assert "not published" in message and f"on {len(BARED)} of {COUNT} frames" in message
    report = report_of(tmp_path / "r.json")
    assert report["output"]["name"] == "o.mp4.unverified"
    found = report["verification"]["violations"]
    assert {item["frame"] for item in found} == set(BARED)
    assert len(names(crops)) >= len(BARED)


def test_an_older_output_is_not_touched_by_one_that_fails(video, analysis, broken, tmp_path):
    (tmp_path / "o.mp4").write_bytes(b"older")
    words = ("render", video, analysis, tmp_path / "o.mp4")
    assert run(*words) == 5
    assert run(*words, "--overwrite") == 4
    assert (tmp_path / "o.mp4").read_bytes() == b"older"


def test_violations_are_accepted_when_told(video, analysis, broken, tmp_path):
    words = ["render", video, analysis, tmp_path / "o.mp4", "--report", tmp_path / "r.json"]
    assert run(*words, "--on-violation", "report") == 0
    assert names(tmp_path) == ["o.mp4", "r.json"]
    assert report_of(tmp_path / "r.json")["verification"]["violations"]


@pytest.mark.parametrize("word", ["--verify-frames=off", "--draw-boxes", "--nobody"])
def test_where_nothing_is_to_be_verified_nobody_looks(word, video, analysis, broken, tmp_path):
    words = ["render", video, analysis, tmp_path / "o.mp4", "--report", tmp_path / "r.json"]
    assert run(*words, word) == 0
    report = report_of(tmp_path / "r.json")
    assert report["verification"] is None
    assert set(report["seconds"]) == {"render"}


def test_every_frame_is_looked_at_when_told(video, analysis, tmp_path):
    words = ["render", video, analysis, tmp_path / "o.mp4", "--report", tmp_path / "r.json"]
    assert run(*words, "--verify-frames", "every") == 0
    assert report_of(tmp_path / "r.json")["verification"]["looked_at"] == COUNT


def test_people_whom_nobody_chose_may_be_seen(video, analysis, tmp_path):
    words = ["render", video, analysis, tmp_path / "o.mp4", "--verify-frames", "every"]
    assert run(*words, "--only-identity", 0) == 0


@pytest.mark.parametrize("stills", [False, True])
def test_folders_are_verified_too(stills, clip, tmp_path, monkeypatch):
    write_frames(clip, tmp_path / "in")
    words = ["veil", tmp_path / "in", tmp_path / "out", *["--stills"][: int(stills)]]
    assert run(*words) == 0
    assert names(tmp_path) == ["in", "out"]
    veil = veiling.veil_frame_of
    monkeypatch.setattr(
        veiling, "veil_frame_of", lambda frame, *rest: frame.number and veil(frame, *rest)
    )
    words[2] = tmp_path / "bad"
    for _ in range(2):
        assert run(*words) == 4
        assert names(tmp_path) == ["bad.unverified", "in", "out"]
    assert len(names(tmp_path / "bad.unverified")) == COUNT


def test_pictures_of_sub_folders_are_verified_too(clip, tmp_path, capsys):
    write_frames(clip, tmp_path / "in" / "day 1")
    write_frames(clip, tmp_path / "in" / "day 2")
    kept = [path for path in sorted((tmp_path / "in").rglob("*.png")) if path.stem[-1] in "15"]
    for path in set((tmp_path / "in").rglob("*.png")) - set(kept):
        path.unlink()
    analysis, more = tmp_path / "a.json", ("--stills", "--recursive")
    assert run("veil", tmp_path / "in", tmp_path / "out", *more, "--analysis", analysis) == 0
    words = ("verify", tmp_path / "out", analysis, "--input", tmp_path / "in", "--recursive")
    assert run(*words) == 0
    bared = kept[-1].relative_to(tmp_path / "in")
    (tmp_path / "out" / bared).write_bytes(kept[-1].read_bytes())
    assert run(*words) == 4
    assert f"on 1 of {len(kept)} frames" in capsys.readouterr().err
    assert run(*words[:-1]) == 3, "without --recursive the input is another"


def test_pictures_made_into_a_video_are_compared_with_the_pictures(clip, tmp_path, monkeypatch):
    write_frames(clip, tmp_path / "in")
    assert run("veil", tmp_path / "in", tmp_path / "o.mp4") == 0
    veil = veiling.veil_frame_of
    monkeypatch.setattr(
        veiling, "veil_frame_of", lambda frame, *rest: frame.number != 7 and veil(frame, *rest)
    )
    assert run("veil", tmp_path / "in", tmp_path / "bad.mp4") == 4
    assert names(tmp_path) == ["bad.mp4.unverified", "in", "o.mp4"]


def test_an_output_that_lost_frames_is_removed(video, analysis, tmp_path, monkeypatch, capsys):
    write = VideoSink.write

    def write_most(self, frame, changed):
        if frame.number != 5:
            write(self, frame, changed)

    monkeypatch.setattr(VideoSink, "write", write_most)
    assert run("render", video, analysis, tmp_path / "o.mp4") == 4
    assert "could not be verified, so it was removed" in capsys.readouterr().err
    assert names(tmp_path) == []


def test_an_interrupt_while_verifying_leaves_nothing(video, analysis, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("faceveil.assure.step.verify", interrupted)
    assert run("render", video, analysis, tmp_path / "o.mp4") == 130
    assert names(tmp_path) == []


def test_the_command_finds_a_veil_removed_by_hand(video, analysis, tmp_path, capsys):
    source, found, style = open_source(video), read_analysis(analysis), VeilStyle()
    removal = draw_removal(np.random.default_rng(1), found, style, whole=False)
    for name, part in (("good.mp4", None), ("bad.mp4", removal)):
        with open_sink(tmp_path / name, source, EncodeOptions()) as sink:
            render_without(source, found, sink, style, part)
    words = ["--input", video, "--json", tmp_path / "v.json"]
    assert run("verify", tmp_path / "good.mp4", analysis, *words) == 0
    assert json.loads((tmp_path / "v.json").read_text())["violations"] == []
    assert run("verify", tmp_path / "bad.mp4", analysis, *words, "--overwrite") == 4
    assert f"sequence {removal.sequence}: a veil is missing" in capsys.readouterr().err
    listed = json.loads((tmp_path / "v.json").read_text())["violations"]
    assert {item["sequence"] for item in listed} == {removal.sequence}


def test_the_command_recognises_people_without_the_input(video, analysis, tmp_path, capsys):
    features = ["--features", video.with_name("features.npz")]
    assert run("verify", video, analysis, "--verify-frames", 4, *features) == 4
    assert "a veiled person recognised" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("verify", "{video}", "{analysis}", "--verify-frames", "off"), 2, "nothing would be"),
        (("verify", "{out}/no.mp4", "{analysis}"), 3, "no.mp4"),
        (("verify", "{video}", "{analysis}", "--input", "{other}"), 3, "another input"),
        (("verify", "{other}", "{analysis}"), 3, "frames can be read"),
        (("verify", "{video}", "{analysis}", "--veil", "fog"), 2, "fog"),
        (("verify", "{video}", "{analysis}", "--hwaccel", "abacus"), 2, "none of this build's"),
        (
            ("verify", "{video}", "{analysis}", "--input", "{other}", "--hwaccel", "x"),
            2,
            "none of this build's",
        ),
    ],
)
def test_what_cannot_be_verified_is_said(words, code, message, video, analysis, tmp_path, capsys):
    other = tmp_path / "other.mp4"
    write_video(make_clip(320, 180, frame_count=5), other, audio=False)
    places = {"video": video, "analysis": analysis, "out": tmp_path, "other": other}
    assert run(*(word.format(**places) for word in words)) == code
    assert message in capsys.readouterr().err
