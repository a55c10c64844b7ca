"""An evaluation as plain data, as `faceveil evaluate --json` writes it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from faceveil import __version__
from faceveil.evaluation.judging import Evaluation, Share
from faceveil.evaluation.measures import Frames

FORMAT = "faceveil-evaluation"
VERSION = 1


def evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return the evaluation as plain data, ready for JSON."""

    def share(value: Share) -> dict[str, Any]:
        return {"faces": value.faces, "hits": value.hits, "share": value.recall}

    def frames(value: Frames) -> dict[str, Any]:
        names = ("accuracy", "precision", "recall", "f1")
        return asdict(value) | {name: getattr(value, name) for name in names}

    identities = evaluation.identities
    return {
        "format": FORMAT,
        "version": VERSION,
        "faceveil": __version__,
        "veils": share(evaluation.veils),
        "by_person": {name: share(value) for name, value in evaluation.by_person.items()},
        "by_size": {name: share(value) for name, value in evaluation.by_size.items()},
        "bare": evaluation.bare,
        "coverage": evaluation.coverage,
        "longest_run": evaluation.longest_run(),
        "longest_run_from_24_pixels": evaluation.longest_run(24),
        "runs": [asdict(run) | {"frames": run.frames} for run in evaluation.runs],
        "tracks_never_exposed": share(evaluation.tracks),
        "kept_left_visible": share(evaluation.kept),
        "wrong_person_kept": evaluation.wrong_kept,
        "boxes_on_faces": share(evaluation.boxes),
        "identities": None if identities is None else asdict(identities),
        "area": asdict(evaluation.area),
        "jitter": asdict(evaluation.jitter),
        "frames": frames(evaluation.frames),
        "frames_by_person": {
            name: frames(value) for name, value in evaluation.frames_by_person.items()
        },
        "by_kind": {
            kind: {
                "veils": share(value.veils),
                "longest_run": value.longest_run,
                "boxes_on_objects": share(value.boxes),
                "area": asdict(value.area),
            }
            for kind, value in evaluation.by_kind.items()
        },
    }
