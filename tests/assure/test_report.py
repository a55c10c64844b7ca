"""report.json follows its schema and names what is probably no face."""

from dataclasses import replace

import jsonschema
import numpy as np
import orjson

from faceveil.analysis import Analysis, SourceInfo
from faceveil.assure.coverage import Coverage
from faceveil.assure.report import build_report
from faceveil.decisions import Decision
from faceveil.faces import DetectionLog, FaceSequence, Provenance
from faceveil.schemas import load_schema
from faceveil.veils.styles import VeilStyle


def make_report(sequences):
    nothing = np.zeros(0, np.int32), np.zeros((0, 4), np.float32)
    analysis = Analysis(
        source=SourceInfo("talk.mp4", "video", "sha256:" + "a" * 64, 64, 48, 40, "25"),
        models=None,
        parameters={},
        shot_starts=np.zeros(1, np.int32),
        unknown_frames=np.zeros(0, np.int32),
        sequences=sequences,
        identities=np.arange(len(sequences), dtype=np.int32),
        decisions=[Decision(True, "everyone is veiled")] * len(sequences),
        detections=DetectionLog(*nothing, np.zeros(0, np.int32)),
    )
    report = build_report(
        analysis,
        Coverage(0, *nothing),
        style=VeilStyle(),
        verification=None,
        output="out.mp4",
        output_digest="sha256:" + "b" * 64,
        seconds={},
        problems=[],
    )
    return orjson.loads(orjson.dumps(report, option=orjson.OPT_SERIALIZE_NUMPY))


def test_the_doubtful_are_listed_and_the_sure_are_not():
    sure = FaceSequence(
        frames=np.arange(4, dtype=np.int32),
        boxes=np.tile(np.float32([5, 5, 30, 40]), (4, 1)),
        scores=np.full(4, 0.9, np.float32),
        provenance=np.full(4, Provenance.DETECTED, np.uint8),
    )
    scores = np.float32([0.55, 0, 0, 0.625])
    provenance = np.where(scores > 0, Provenance.DETECTED, Provenance.INTERPOLATED)
    doubtful = replace(
        sure, frames=sure.frames + 7, scores=scores, provenance=provenance.astype(np.uint8)
    )
    report = make_report([sure, doubtful])
    jsonschema.validate(report, load_schema("report"))
    assert report["doubtful"] == [
        {
            "sequence": 1,
            "first_frame": 7,
            "last_frame": 10,
            "seen_in_frames": 2,
            "best_score": 0.625,
        }
    ]
