"""analysis.json: written, edited and read back; nonsense is named, features never get in."""

import copy

import jsonschema
import numpy as np
import orjson
import pytest

from faceveil.analysis import Analysis, SourceInfo, read_analysis, to_document, write_analysis
from faceveil.decisions import Decision
from faceveil.errors import InputError, OutputError
from faceveil.faces import DetectionLog, FaceSequence, Models, Provenance
from faceveil.leftovers import Leftovers
from faceveil.schemas import load_schema


def make_analysis():
    frames = np.arange(3, 8, dtype=np.int32)
    boxes = np.stack([frames, frames, frames + 20.1, frames + 30.7], axis=1).astype(np.float32)
    provenance = np.array([0, 0, 2, 0, 3], np.uint8)
    sequence = FaceSequence(
        frames=frames,
        boxes=boxes,
        scores=np.array([0.99, 0.98, 0, 0.9, 0], np.float32),
        provenance=provenance,
        shot=1,
        feature_frames=frames[:1],
        feature_quality=np.ones(1, np.float32),
        features=np.full((1, 4), 0.5, np.float32),
    )
    detected = provenance == Provenance.DETECTED
    return Analysis(
        source=SourceInfo("talk.mp4", "video", "sha256:" + "a" * 64, 64, 48, 10, "25"),
        models=Models("mtcnn", "arcface", "sha256:" + "b" * 64, 0.7),
        parameters={"selection": {"mode": "all"}},
        shot_starts=np.array([0, 2], np.int32),
        unknown_frames=np.array([9], np.int32),
        sequences=[sequence],
        identities=np.array([5], np.int32),
        decisions=[Decision(True, "everyone is veiled")],
        detections=DetectionLog(frames[detected], boxes[detected], np.zeros(3, np.int32)),
        leftovers=Leftovers(np.int32([0, 8, 8]), boxes[:3], np.float32([0.2, 0.31, 0.49])),
    )


@pytest.fixture
def document():
    return orjson.loads(
        orjson.dumps(to_document(make_analysis()), option=orjson.OPT_SERIALIZE_NUMPY)
    )


def read(document, folder):
    path = folder / "analysis.json"
    path.write_bytes(orjson.dumps(document))
    return read_analysis(path)


def test_what_was_written_is_read_back_exactly(tmp_path):
    before = make_analysis()
    write_analysis(before, tmp_path / "a.json")
    after = read_analysis(tmp_path / "a.json")
    np.testing.assert_array_equal(after.sequences[0].boxes, before.sequences[0].boxes)
    np.testing.assert_array_equal(after.detections.boxes, before.detections.boxes)
    np.testing.assert_array_equal(after.sequences[0].provenance, before.sequences[0].provenance)
    np.testing.assert_array_equal(after.unknown_frames, before.unknown_frames)
    np.testing.assert_array_equal(after.leftovers.frames, before.leftovers.frames)
    np.testing.assert_array_equal(after.leftovers.boxes, before.leftovers.boxes)
    np.testing.assert_array_equal(after.leftovers.scores, before.leftovers.scores)
    assert after.decisions == before.decisions
    assert after.source == before.source
    assert after.models == before.models


def test_a_file_of_an_older_version_names_no_leftovers(document, tmp_path):
    del document["leftovers"]
    jsonschema.validate(document, load_schema("analysis"))
    assert len(read(document, tmp_path).leftovers) == 0


def test_it_follows_its_schema_and_holds_no_features(document):
    jsonschema.validate(document, load_schema("analysis"))
    assert "feature" not in orjson.dumps(document).decode()


def test_an_edited_decision_is_taken(document, tmp_path):
    document["sequences"][0]["decision"]["veil"] = False
    assert read(document, tmp_path).veiled.tolist() == [False]


def edit(path, value):
    def apply(document):
        *parents, last = path
        for key in parents:
            document = document[key]
        if value is KeyError:
            del document[last]
        else:
            document[last] = value

    return apply


SEQUENCE = ("sequences", 0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (edit(("format",), "other"), "not a faceveil analysis"),
        (edit(("version",), 99), "version 99"),
        (edit(("sequences",), KeyError), "sequences"),
        (edit(("sequences",), {}), "sequences"),
        (edit((*SEQUENCE,), 7), r"sequences\[0\]"),
        (edit((*SEQUENCE, "frames"), [3, 2, 5, 6, 7]), r"sequences\[0\].frames"),
        (edit((*SEQUENCE, "frames"), [3, 4, 5, 6, 99]), "frame 99"),
        (edit((*SEQUENCE, "frames"), [3, 4, 5, 6, 2**40]), "too large"),
        (edit((*SEQUENCE, "frames"), []), r"sequences\[0\].frames"),
        (edit((*SEQUENCE, "boxes", 1), [1, 2, 3]), r"sequences\[0\].boxes"),
        (edit((*SEQUENCE, "boxes", 1), [9, 2, 3, 4]), r"boxes\[1\] is empty"),
        (edit((*SEQUENCE, "boxes"), "none"), r"sequences\[0\].boxes"),
        (edit((*SEQUENCE, "boxes", 0, 0), None), r"sequences\[0\].boxes"),
        (edit((*SEQUENCE, "provenance", 0), "guessed"), "guessed"),
        (edit((*SEQUENCE, "decision", "veil"), "yes"), "decision.veil"),
        (edit((*SEQUENCE, "decision", "similarity"), "high"), "decision.similarity"),
        (edit((*SEQUENCE, "identity"), True), "identity"),
        (edit(("source", "digest"), KeyError), "source.digest"),
        (edit(("models",), []), "models"),
        (edit(("detections", "sequence"), [0, 0, 4]), "does not exist"),
        (edit(("detections", "sequence"), [0]), "detections.sequence"),
        (edit(("shot_starts",), [0.5]), "shot_starts"),
        (edit(("leftovers", "frames"), [0, 8, 10]), "leftovers.frames"),
        (edit(("leftovers", "frames"), [3, 2, 8]), "leftovers.frames"),
        (edit(("leftovers", "frames"), [-1, 2, 8]), "leftovers.frames"),
        (edit(("leftovers", "scores"), [0.2]), "leftovers.scores"),
        (edit(("leftovers",), []), "leftovers"),
    ],
)
def test_nonsense_is_refused_by_the_name_of_its_field(document, tmp_path, change, named):
    changed = copy.deepcopy(document)
    change(changed)
    with pytest.raises(InputError, match=named):
        read(changed, tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"42"])
def test_a_file_that_is_not_ours_is_refused(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.json"):
        read_analysis(tmp_path / "x.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.json"):
        read_analysis(tmp_path / "gone.json")


def test_an_analysis_of_another_input_is_refused():
    with pytest.raises(InputError, match=r"talk\.mp4"):
        make_analysis().check_source("sha256:" + "c" * 64)


def test_it_is_not_written_into_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(OutputError, match="nowhere"):
        write_analysis(make_analysis(), tmp_path / "nowhere" / "a.json")
    assert list(tmp_path.iterdir()) == []
