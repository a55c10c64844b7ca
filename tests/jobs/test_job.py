"""job.json is read in one place; what cannot be meant is refused, and the message names it."""

import json
from fractions import Fraction

import pytest
from jsonschema import Draft202012Validator

from faceveil.errors import InputError
from faceveil.frame_range import FrameRange
from faceveil.jobs.job import Job, read_job
from faceveil.schemas import load_schema

WHERE = "s3://bucket/jobs/talk-1/job.json"
SMALLEST = {"version": 1, "id": "talk-1", "frames": {"prefix": "jobs/talk-1/frames/"}}
FULL = {
    **SMALLEST,
    "frames": {"prefix": "in/frames/", "rate": "30000/1001", "digest": f"sha256:{'0' * 64}"},
    "source_video": "in/talk.mp4",
    "detections": {"prefix": "detections/other/"},
    "networks": {"detector": "mtcnn", "recognizer": "arcface-resnet100", "accept_licence": True},
    "selection": {
        "mode": "keep",
        "references": {"Ann": "jobs/talk-1/references/ann/"},
        "points": [{"frame": 15, "x": 640, "y": 300.5}],
        "identities": [3],
        "times": [{"frames": [0, 100]}, {"seconds": [10, 20.5]}],
        "accept": 0.5,
        "uncertain": 0.4,
    },
    "sequences": {"extension": 5, "smoothing": "none", "low_scores": False},
    "veil": {"style": "solid", "margin": 0.3, "colour": [0, 0, 255]},
    "output": {
        "prefix": "jobs/talk-1/out/",
        "video": {"key": "jobs/talk-1/talk.mp4", "crf": 20, "preset": "fast"},
    },
    "on_failure": "veil_unknown",
    "verification": "report",
    "retention": {"delete_features": True},
}


def read(document, where=WHERE) -> Job:
    return read_job(json.dumps(document).encode(), where)


def changed(path, value):
    """FULL with one field set (or, with ..., removed); path: its keys."""
    document = json.loads(json.dumps(FULL))
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    if value is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return document


def test_the_schema_is_one():
    Draft202012Validator.check_schema(load_schema("job"))


def test_the_smallest_job_veils_everyone_and_writes_into_its_folder():
    job = read(SMALLEST)
    assert job.selection.mode == "all"
    assert job.prefix == "jobs/talk-1/"
    assert job.detections_prefix == "detections/talk-1/"
    assert job.output_prefix == "jobs/talk-1/veiled/"
    assert (job.on_failure, job.verification, job.delete_features) == ("refuse", "fail", False)


def test_every_field_is_taken():
    job = read(FULL)
    assert job.frames_prefix == "in/frames/"
    assert job.rate == Fraction(30000, 1001)
    assert job.frames_digest == f"sha256:{'0' * 64}"
    assert job.source_video == "in/talk.mp4"
    assert job.detections_prefix == "detections/other/"
    assert job.networks.recognizer == "arcface-resnet100"
    assert job.networks.accept_licence
    assert job.selection.references == (("Ann", "jobs/talk-1/references/ann/"),)
    assert job.selection.points == ((15, 640, 300.5),)
    assert job.selection.identities == (3,)
    # frames shown at 10 s or later, before 20.5 s, at 29.97 frames a second
    assert job.selection.times == (FrameRange(0, 100), FrameRange(300, 615))
    assert (job.selection.accept, job.selection.uncertain) == (0.5, 0.4)
    assert (job.sequences.extension, job.sequences.smoothing) == (5, "none")
    assert (job.style.name, job.style.margin, job.style.colour) == ("solid", 0.3, (0, 0, 255))
    assert job.output_prefix == "jobs/talk-1/out/"
    assert (job.video.key, job.video.encode.crf) == ("jobs/talk-1/talk.mp4", 20)
    assert job.video.encode.rate == Fraction(30000, 1001)
    assert (job.on_failure, job.verification, job.delete_features) == (
        "veil_unknown",
        "report",
        True,
    )


BROKEN = {
    "version": (changed(["version"], 2), "version"),
    "no id": (changed(["id"], ...), "id: is missing"),
    "an id that names another folder": (changed(["id"], "../talk"), "id"),
    "the id of another folder": (changed(["id"], "talk-2"), "id: 'talk-2' is not the name"),
    "no frames": (changed(["frames"], ...), "frames: is missing"),
    "no prefix": (changed(["frames", "prefix"], ...), "frames.prefix: is missing"),
    "a prefix without end": (changed(["frames", "prefix"], "in/frames"), "frames.prefix"),
    "a misspelled field": (changed(["selektion"], {}), "selektion"),
    "a misspelled inner field": (changed(["veil", "stile"], "round"), "stile"),
    "unknown mode": (changed(["selection", "mode"], "blur"), "selection.mode"),
    "a point beside the frame": (
        changed(["selection", "points", 0, "x"], -4),
        "selection.points[0].x",
    ),
    "a point without frame": (
        changed(["selection", "points", 0, "frame"], ...),
        "selection.points[0].frame: is missing",
    ),
    "nobody selected": (changed(["selection"], {"mode": "keep"}), "selection: mode 'keep' needs"),
    "somebody selected under all": (
        changed(["selection"], {"mode": "all", "identities": [1]}),
        "selection.identities",
    ),
    "times under all": (
        changed(["selection"], {"mode": "all", "times": [{"frames": [0, 1]}]}),
        "selection.times",
    ),
    "thresholds the wrong way": (
        changed(["selection", "uncertain"], 0.9),
        "selection.uncertain: 0.9 is above accept",
    ),
    "an empty range": (changed(["selection", "times", 0, "frames"], [9, 9]), "selection.times[0]"),
    "a range of both kinds": (
        changed(["selection", "times", 0, "seconds"], [0, 1]),
        "selection.times[0]",
    ),
    "seconds without rate": (changed(["frames", "rate"], ...), "frames.rate: is missing"),
    "a rate of zero": (changed(["frames", "rate"], "0/1"), "frames.rate"),
    "photos of another job": (
        changed(["selection", "references", "Ann"], "jobs/talk-2/references/"),
        "selection.references.Ann",
    ),
    "unknown option of sequences": (changed(["sequences", "extend"], 3), "sequences.extend"),
    "wrong type in sequences": (changed(["sequences", "extension"], "3"), "sequences.extension"),
    "a bool for a number": (changed(["sequences", "extension"], True), "sequences.extension"),
    "an interpolation that is none": (
        changed(["sequences", "interpolation"], "magic"),
        "sequences: interpolation 'magic'",
    ),
    "a margin of nonsense": (changed(["veil", "margin"], 9), "veil.margin"),
    "output outside the folder": (
        changed(["output", "prefix"], "jobs/talk-10/"),
        "output.prefix: 'jobs/talk-10/' must lie under jobs/talk-1/",
    ),
    "output over the frames": (
        {**SMALLEST, "output": {"prefix": "jobs/talk-1/frames/"}},
        "output.prefix",
    ),
    "output around the frames": (
        {**SMALLEST, "output": {"prefix": "jobs/talk-1/frames/veiled/"}},
        "output.prefix",
    ),
    "output over the photos": (
        changed(["output", "prefix"], "jobs/talk-1/references/ann/"),
        "output.prefix",
    ),
    "video over the source": (
        changed(["source_video"], "jobs/talk-1/talk.mp4"),
        "source_video",
    ),
    "video without rate": (
        {**SMALLEST, "output": {"video": {"key": "jobs/talk-1/v.mp4"}}},
        "frames.rate: is missing",
    ),
    "video of unknown kind": (changed(["output", "video", "key"], "jobs/talk-1/v.avi"), "video"),
    "failure policy": (changed(["on_failure"], "ignore"), "on_failure"),
    "retention": (changed(["retention", "delete_features"], "yes"), "retention.delete_features"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_cannot_be_meant_is_refused_and_named(what):
    document, message = BROKEN[what]
    with pytest.raises(InputError) as caught:
        read(document)
    assert str(caught.value).startswith(WHERE)
    assert message in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"version": NaN}', b"\xff\xfe{}"])
def test_what_is_not_a_json_object_is_refused(data):
    with pytest.raises(InputError, match=r"job\.json: "):
        read_job(data, WHERE)


def test_what_is_far_too_large_is_refused_before_it_is_parsed():
    with pytest.raises(InputError, match="larger than"):
        read_job(b" " * (1 << 20) + json.dumps(SMALLEST).encode(), WHERE)


def test_a_job_on_this_machine_needs_no_folder_of_its_id():
    assert read(SMALLEST, "/opt/ml/processing/input/job.json").id == "talk-1"


def test_times_alone_make_a_selection_of_nobody():
    job = read({**SMALLEST, "selection": {"mode": "none", "times": [{"frames": [5, 9]}]}})
    assert job.selection.times == (FrameRange(5, 9),)


def test_sampling_looks_at_every_sixth_frame_or_each_half_second_unless_the_step_is_said():
    def step(rate=None, **sampling):
        frames = {**SMALLEST["frames"], **({} if rate is None else {"rate": rate})}
        return read({**SMALLEST, "frames": frames, "sampling": sampling}).coarse_step

    assert read(SMALLEST).coarse_step is step(mode="every") is None
    assert step(mode="adaptive") == step(60, mode="adaptive") == 6
    assert step(10, mode="adaptive") == step(10, mode="coarse_then_refine") == 5
    assert step(10, mode="adaptive", step=8) == 8


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        ({"step": 4}, r"sampling\.mode: is missing"),
        ({"mode": "adaptive", "step": 13}, r"sampling\.step: 13 is greater"),
        ({"mode": "adaptive", "step": 0}, r"sampling\.step: 0 is less"),
        ({"mode": "every", "step": 4}, r"sampling\.step: mode 'every' detects in every frame"),
    ],
)
def test_sampling_that_cannot_be_meant_is_refused(sampling, message):
    with pytest.raises(InputError, match=message):
        read({**SMALLEST, "sampling": sampling})
