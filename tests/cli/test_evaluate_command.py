"""`faceveil evaluate`: files in; an answer, JSON and one page out."""

import re
from dataclasses import replace

import numpy as np
import orjson
import pytest

from faceveil.analysis import Analysis, SourceInfo, write_analysis
from faceveil.cli.main import main
from faceveil.decisions import Decision
from faceveil.errors import InputError, UsageError
from faceveil.evaluation.evaluate_files import evaluate_files, summarise_evaluation
from faceveil.evaluation.truth_formats import write_truth
from faceveil.faces import DetectionLog, FaceSequence, Kind
from testkit.clips import make_clip, write_frames

SKIPPED = 6
"""The frame in which one person has no veil."""


@pytest.fixture(scope="module")
def clip():
    return make_clip(320, 180, 12)


@pytest.fixture(scope="module")
def truth_path(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("truth") / "truth.json"
    write_truth(clip.truth, path, "clip", "exact")
    return path


def analysis_of(truth, kept=()):
    """Everybody followed exactly, but one person not veiled in one frame."""
    sequences, people = [], []
    missing = truth.rows_of(["Joe Biden"]) & (truth.frames == SKIPPED)
    for track in np.unique(truth.track):
        rows = (truth.track == track) & ~missing
        if rows.any():
            count = int(rows.sum())
            sequences.append(
                FaceSequence(
                    truth.frames[rows],
                    truth.boxes[rows],
                    np.ones(count, np.float32),
                    np.zeros(count, np.uint8),
                )
            )
            people.append(int(truth.person[rows][0]))
    names = [truth.people[person] for person in people]
    none = np.zeros(0, np.int32)
    return Analysis(
        source=SourceInfo("clip", "folder", "sha256:", 320, 180, truth.frame_count, "25"),
        models=None,
        parameters={},
        shot_starts=truth.shot_starts,
        unknown_frames=none,
        sequences=sequences,
        identities=np.array(people, np.int32),
        decisions=[Decision(veil=name not in kept, reason="") for name in names],
        detections=DetectionLog(none, np.zeros((0, 4), np.float32), none),
    )


@pytest.fixture
def analysis_path(clip, tmp_path):
    path = tmp_path / "analysis.json"
    write_analysis(analysis_of(clip.truth), path)
    return path


def test_an_analysis_is_evaluated_and_written_down(clip, truth_path, analysis_path, tmp_path):
    json, html, frames = tmp_path / "e.json", tmp_path / "e.html", tmp_path / "frames"
    write_frames(clip, frames)
    result = evaluate_files(truth_path, analysis_path, json=json, html=html, video=frames)
    assert [(run.person, run.first, run.frames) for run in result.runs] == [
        ("Joe Biden", SKIPPED, 1)
    ]
    assert orjson.loads(json.read_bytes())["veils"]["hits"] == result.veils.faces - 1
    text = summarise_evaluation(result)
    assert f"Joe Biden, frames {SKIPPED}-{SKIPPED}" in text
    page = html.read_text()
    assert page.count("data:image/jpeg;base64,") == 1 and f"frame {SKIPPED}<" in page
    # Self-contained: nothing is fetched from anywhere.
    assert not re.search(r'(?:src|href)="(?!data:)', page) and "<script" not in page


def test_names_of_people_cannot_break_the_page(clip, tmp_path, analysis_path):
    path = tmp_path / "truth.json"
    write_truth(clip.truth, path, "clip", "exact")
    path.write_text(path.read_text().replace("Joe Biden", "<script>alert(1)</script>"))
    evaluate_files(path, analysis_path, html=tmp_path / "e.html")
    assert "<script>alert" not in (tmp_path / "e.html").read_text()


def test_kept_people_are_named_as_the_truth_names_them(clip, truth_path, tmp_path):
    path = tmp_path / "analysis.json"
    write_analysis(analysis_of(clip.truth, kept=["Eileen Collins"]), path)
    assert evaluate_files(truth_path, path).recall < 0.9
    result = evaluate_files(truth_path, path, keep=["Eileen Collins"])
    assert result.wrong_kept == 0 and result.kept.recall == 1
    with pytest.raises(UsageError, match="it knows Barack Obama"):
        evaluate_files(truth_path, path, keep=["Nobody"])


def test_boxes_of_a_peer_are_evaluated_as_text(clip, truth_path, tmp_path):
    truth, lines = clip.truth, []
    for frame, (x1, y1, x2, y2) in zip(truth.frames, truth.boxes, strict=True):
        lines.append(f"{frame + 1},-1,{x1 + 1},{y1 + 1},{x2 - x1},{y2 - y1},0.9")
    path = tmp_path / "peer.txt"
    path.write_text("\n".join(lines))
    result = evaluate_files(truth_path, path)
    assert result.recall == 1 and result.identities is None
    # Ellipses of the same boxes touch the faces' outlines; grown ones cover them again.
    shrunk = evaluate_files(truth_path, path, grow=-0.1, is_round=True)
    assert shrunk.recall == 0 and shrunk.coverage > 0.5
    assert evaluate_files(truth_path, path, grow=0.1, is_round=True).recall == 1


def test_plates_are_evaluated_beside_faces(clip, truth_path, tmp_path):
    """As an analysis follows them: veiled by rectangles, some frames without."""
    frames, box = np.arange(12, dtype=np.int32), np.array([20, 140, 60, 155], np.float32)
    boxes = np.tile(box, (12, 1))
    plate = {"person": "car", "kind": "plate", "frames": frames.tolist(), "boxes": boxes.tolist()}
    document = orjson.loads(truth_path.read_bytes())
    document = document | {"faces": [*document["faces"], plate], "kinds": ["face", "plate"]}
    path, seen = tmp_path / "truth.json", frames[frames != SKIPPED]
    path.write_bytes(orjson.dumps(document))
    found = analysis_of(clip.truth)
    sequence = FaceSequence(
        seen,
        boxes[seen],
        np.ones(len(seen), np.float32),
        np.zeros(len(seen), np.uint8),
        kind=Kind.PLATE,
    )
    analysis = replace(
        found,
        sequences=[*found.sequences, sequence],
        identities=np.append(found.identities, 9).astype(np.int32),
        decisions=[*found.decisions, Decision(veil=True, reason="")],
    )
    write_analysis(analysis, tmp_path / "analysis.json")
    page = tmp_path / "e.html"
    result = evaluate_files(path, tmp_path / "analysis.json", html=page)
    plates = result.by_kind["plate"]
    assert (plates.veils.faces, plates.veils.hits, plates.boxes.recall) == (12, 11, 1)
    assert "plates veiled     0.9167  (11 of 12" in summarise_evaluation(result)
    assert "Other kinds" in page.read_text() and "car" not in result.by_person
    # Truth about faces alone asks for no plates, and holds none against the output.
    faces = evaluate_files(truth_path, tmp_path / "analysis.json")
    assert faces.by_kind == {} and faces.boxes == result.boxes


def test_pictures_of_another_size_are_refused(truth_path, analysis_path, tmp_path):
    write_frames(make_clip(160, 90, 12), tmp_path / "small")
    with pytest.raises(InputError, match="160x90"):
        evaluate_files(
            truth_path, analysis_path, html=tmp_path / "e.html", video=tmp_path / "small"
        )


def test_an_output_that_is_not_there_is_refused(truth_path, tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        evaluate_files(truth_path, tmp_path / "none.json")


def test_the_command_answers_on_standard_output_and_writes_both_files(
    clip, truth_path, analysis_path, tmp_path, capsys
):
    write_frames(clip, tmp_path / "frames")
    words = ["evaluate", truth_path, analysis_path, "--video", tmp_path / "frames"]
    words += ["--json", tmp_path / "e.json", "--html", tmp_path / "e.html"]
    assert main([str(word) for word in words]) == 0
    assert f"Joe Biden, frames {SKIPPED}-{SKIPPED}" in capsys.readouterr().out
    assert orjson.loads((tmp_path / "e.json").read_bytes())["longest_run"] == 1
    assert "data:image/jpeg" in (tmp_path / "e.html").read_text()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--keep", "Nobody"], 2, "it knows Barack Obama"),
        (["--veil", "fog"], 2, "fog"),
        (["--html", "{out}/no/e.html"], 5, "does not exist"),
        (["--html", "{out}/e.html", "--video", "{out}/no.mp4"], 3, "no.mp4"),
    ],
)
def test_what_the_command_cannot_do_is_said(
    words, code, message, truth_path, analysis_path, tmp_path, capsys
):
    words = [word.format(out=tmp_path) for word in words]
    assert main(["evaluate", str(truth_path), str(analysis_path), *words]) == code
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["analysis.json"]


def test_the_command_evaluates_a_peer_in_the_geometry_that_is_said(
    clip, truth_path, tmp_path, capsys
):
    path = tmp_path / "peer.txt"
    path.write_text(
        "\n".join(
            f"{frame + 1},-1,{x1 + 1},{y1 + 1},{x2 - x1},{y2 - y1},1"
            for frame, (x1, y1, x2, y2) in zip(clip.truth.frames, clip.truth.boxes, strict=True)
        )
    )
    assert main(["evaluate", str(truth_path), str(path), "--grow", "-0.1", "--round"]) == 0
    assert "faces veiled      0.0000" in capsys.readouterr().out
    assert main(["evaluate", str(truth_path), str(path), "--grow", "0.1", "--round"]) == 0
    assert "faces veiled      1.0000" in capsys.readouterr().out
