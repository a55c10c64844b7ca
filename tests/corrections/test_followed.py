"""A person who was missed is drawn once, followed, and veiled in every frame; others are not."""

import json
import time
from dataclasses import replace

import av
import numpy as np
import pytest

from faceveil.analysis import Analysis, SourceInfo, write_analysis
from faceveil.boxes import iou
from faceveil.cli.main import main
from faceveil.corrections.apply import apply_corrections
from faceveil.corrections.document import Corrections, write_corrections
from faceveil.corrections.entries import BoxAt, Decide, Draw, Shape, Target
from faceveil.corrections.follow import follow_change
from faceveil.decisions import Decision
from faceveil.errors import InputError
from faceveil.faces import DetectionLog, FaceSequence, Kind
from faceveil.media.open import open_sink, open_source
from faceveil.rendering import render
from testkit.made_review import made_review, served

FRAMES, WIDTH, HEIGHT, SIDE = 60, 480, 270, 60
KEEP = Decision(False, "kept")


def missed(frame):
    """Where the person is whom nothing detected."""
    x, y = 40 + 4 * frame, 60 + 30 * np.sin(frame / 12)
    return np.array([x, y, x + SIDE, y + SIDE], np.float32)


def seen(frame):
    """Where the person is who stays visible."""
    return np.array([400 - frame, 190, 400 - frame + SIDE, 190 + SIDE], np.float32)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A video of two textured squares that move over a textured ground, without loss."""
    path = tmp_path_factory.mktemp("followed") / "clip.mkv"
    random = np.random.default_rng(3)
    ground = random.integers(60, 120, (HEIGHT // 6, WIDTH // 6), np.uint8).repeat(6, 0).repeat(6, 1)
    faces = [
        random.integers(0, 256, (12, 12), np.uint8).repeat(5, 0).repeat(5, 1) for _ in range(2)
    ]
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", 25, options={"qp": "0", "g": "20"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(FRAMES):
            picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
            picture[...] = ground[:, :, None]
            for face, place in zip(faces, (missed, seen), strict=True):
                x, y = place(number)[:2].round().astype(int)
                picture[y : y + SIDE, x : x + SIDE] = face[:, :, None]
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        output.mux(stream.encode())
    return path


@pytest.fixture
def analysis(clip):
    """An analysis that knows the kept person alone."""
    frames = np.arange(FRAMES, dtype=np.int32)
    boxes = np.array([seen(frame) for frame in frames])
    face = FaceSequence(frames, boxes, np.ones(FRAMES, np.float32), np.zeros(FRAMES, np.uint8))
    return Analysis(
        SourceInfo(clip.name, "video", open_source(clip).digest(), WIDTH, HEIGHT, FRAMES, "25"),
        None,
        {},
        np.zeros(1, np.int32),
        np.zeros(0, np.int32),
        [face],
        np.zeros(1, np.int32),
        [KEEP],
        DetectionLog(frames, boxes, np.zeros(FRAMES, np.int32)),
    )


def box_at(frame):
    return BoxAt(frame, tuple(missed(frame).tolist()))


def drawn_once(clip, analysis):
    change = Draw("o1", Kind.FACE, (box_at(30),))
    change = replace(change, tracked=follow_change(open_source(clip), analysis, change))
    return Corrections.of(analysis.source).with_change(change, by="ann")


def pictures(path):
    return [frame.rgb().astype(int) for frame in open_source(path)]


def changed_share(before, after, box):
    """The share of a box's pixels that changed."""
    x1, y1, x2, y2 = box.round().astype(int)
    return (np.abs(before - after)[y1:y2, x1:x2].max(axis=2) > 12).mean()


def test_one_drawn_box_veils_a_person_in_all_frames_and_no_other(clip, analysis, tmp_path):
    source, output = open_source(clip), tmp_path / "out.mkv"
    corrections = drawn_once(clip, analysis)
    render(source, analysis, open_sink(output, source), corrections=corrections, verification=None)
    before, after = pictures(clip), pictures(output)
    veiled = [changed_share(before[n], after[n], missed(n)) for n in range(FRAMES)]
    apart = [n for n in range(FRAMES) if np.abs(missed(n) - seen(n))[:2].max() > 2.5 * SIDE]
    kept = [changed_share(before[n], after[n], seen(n)) for n in apart]
    assert np.mean(np.array(veiled) > 0.7) >= 0.99
    assert max(kept) < 0.05


def test_a_wrong_box_is_moved_in_two_frames_and_what_lies_between_follows(clip, analysis):
    wrong = Draw("o1", Kind.FACE, tuple(BoxAt(n, (5.0, 5.0, 65.0, 65.0)) for n in (10, 50)))
    document = Corrections.of(analysis.source).with_change(wrong, by="ann")
    change = Shape(Target(object="o1"), (box_at(15), box_at(45)), 15, 45)
    change = replace(change, tracked=follow_change(open_source(clip), analysis, change))
    corrected = apply_corrections(analysis, document.with_change(change, by="ann")).analysis
    (_, shaped) = corrected.sequences
    found = [shaped.box_at(n) for n in range(15, 46)]
    truth = np.array([missed(n) for n in range(15, 46)])
    assert iou(np.array(found), truth).min() > 0.6
    np.testing.assert_allclose(shaped.box_at(12), (5, 5, 65, 65), atol=0.01)


def test_the_command_renders_corrections_and_its_report_names_them(clip, analysis, tmp_path):
    write_analysis(analysis, tmp_path / "a.json")
    write_corrections(drawn_once(clip, analysis), tmp_path / "c.json")
    report = tmp_path / "report.json"
    words = ["render", clip, tmp_path / "a.json", tmp_path / "out.mkv", "--report", report]
    words += ["--corrections", tmp_path / "c.json", "--verify-frames", "off", "--quiet"]
    code = main([str(word) for word in words])
    assert code == 0
    named = json.loads(report.read_bytes())["corrections"]
    (entry,) = named["entries"]
    assert (entry["op"], entry["by"], entry["object"]) == ("draw", "ann", "o1")
    assert "tracked" not in entry
    assert named["digest"].startswith("sha256:")
    assert named["unresolved"] == []


def test_a_report_names_what_could_not_be_applied(clip, analysis, tmp_path):
    nowhere = Decide(Target(identity=BoxAt(3, (1.0, 1.0, 9.0, 9.0))), "keep")
    corrections = Corrections.of(analysis.source).with_change(nowhere, by="ann")
    source, page = open_source(clip), tmp_path / "report.html"
    sink = open_sink(tmp_path / "out.mkv", source)
    done = render(source, analysis, sink, corrections=corrections, report=page, verification=None)
    (unresolved,) = done.unresolved
    assert "frame 3" in unresolved
    assert unresolved in page.read_text().replace("&#x27;", "'")


def test_what_was_corrected_is_verified_as_such(clip, analysis, tmp_path, capsys):
    """`verify` needs the corrections, or the analysis that `render` writes with them."""
    source, output = open_source(clip), tmp_path / "out.mkv"
    corrections = drawn_once(clip, analysis)
    write_analysis(analysis, tmp_path / "a.json")
    write_corrections(corrections, tmp_path / "c.json")
    render(source, analysis, open_sink(output, source), corrections=corrections, verification=None)

    def verify(video, *words):
        command = ["verify", video, *words, "--input", clip, "--recognizer", "none"]
        return main([str(word) for word in [*command, "--detector", "mtcnn"]])

    given = ("--corrections", tmp_path / "c.json")
    assert verify(output, tmp_path / "a.json", *given) == 0
    assert f"{FRAMES} veils compared" in capsys.readouterr().err
    assert verify(clip, tmp_path / "a.json", *given) == 4, "the drawn veils are missing in it"
    words = ["render", clip, tmp_path / "a.json", tmp_path / "again.mkv", *given]
    words += ["--analysis", tmp_path / "corrected.json", "--verify-frames", "off"]
    assert main([str(word) for word in words]) == 0
    assert verify(output, tmp_path / "corrected.json") == 0


def test_the_review_server_follows_what_is_drawn(clip, analysis, tmp_path):
    path = tmp_path / clip.name
    path.write_bytes(clip.read_bytes())
    review, outputs = made_review(path, analysis)
    with served(review, outputs) as client:
        answer = client.correct(
            "draw", kind="face", keyframes=[{"frame": 30, "box": missed(30).tolist()}]
        )
        task = answer["task"]["id"]
        deadline = time.monotonic() + 60
        while client.get(f"tasks/{task}")["state"] == "running" and time.monotonic() < deadline:
            time.sleep(0.1)
        assert client.get(f"tasks/{task}")["state"] == "done"
        state = client.get("state")
        assert state["revision"] > answer["revision"]
        seen_boxes = client.get("boxes?first=5&last=5")
        drawn = [
            box
            for box, name in zip(seen_boxes["boxes"], seen_boxes["objects"], strict=True)
            if name == "o1"
        ]
        assert iou(np.array(drawn, np.float32), missed(5)[None])[0] > 0.6


def drawn_by(review):
    """The track of the object that a review has drawn, None while it is not followed."""
    (entry,) = [item for item in review.version.corrections.active if item.op == "draw"]
    return entry.change.tracked


def test_rendering_waits_until_what_was_drawn_is_followed(clip, analysis, tmp_path, monkeypatch):
    """Else the output would show the person in all frames but the one in which she was drawn."""
    path = tmp_path / clip.name
    path.write_bytes(clip.read_bytes())

    def slowly(*arguments):
        time.sleep(1)
        return follow_change(*arguments)

    monkeypatch.setattr("faceveil.review.session.follow_change", slowly)
    used = []

    def rendered(source, analysis, sink, style, *, corrections, **_):
        used.append(corrections)
        raise InputError("seen enough")

    monkeypatch.setattr("faceveil.rendering.render", rendered)
    review, outputs = made_review(path, analysis)
    box = {"frame": 30, "box": missed(30).tolist()}
    review.correct(1, {"op": "draw", "kind": "face", "keyframes": [box]})
    outputs.start(None, False)
    deadline = time.monotonic() + 60
    while not used and time.monotonic() < deadline:
        time.sleep(0.05)
    review.close()
    ((entry,),) = [item.active for item in used]
    assert len(entry.change.tracked.frames) == FRAMES - 1


def test_what_a_killed_review_had_not_followed_is_followed_by_the_next(clip, analysis, tmp_path):
    path = tmp_path / clip.name
    path.write_bytes(clip.read_bytes())
    drawn = Draw("o1", Kind.FACE, (box_at(30),))
    corrections = Corrections.of(analysis.source).with_change(drawn, by="ann")
    write_corrections(corrections, tmp_path / "corrections.json")
    review, _ = made_review(path, analysis)
    deadline = time.monotonic() + 60
    while drawn_by(review) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(drawn_by(review).frames) == FRAMES - 1
    review.close()
