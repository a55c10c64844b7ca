"""A whole job over a real S3 gives what the library gives on this machine, and says so.

The networks that look at the output are left out (made_job.NoFaces); test_end_to_end.py has
real ones.
"""

import hashlib
import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from faceveil.analysis import parse_analysis
from faceveil.errors import InputError
from faceveil.jobs import state_machine
from faceveil.jobs.status import read_status
from faceveil.schemas import load_schema
from testkit.carving import carve
from testkit.laden_pictures import SECRET_EXIF, chunk
from testkit.made_job import FIRST_WITHOUT_VEIL, FRAMES, PREFIX


def types_of(events):
    return [event.detail_type.removeprefix("FaceVeil Job ") for event in events]


def test_a_job_gives_the_frames_that_the_library_gives(uploaded):
    assert state_machine.run_whole_job(uploaded.run()) == "completed"
    veiled = uploaded.objects("veiled/")
    assert veiled == uploaded.rendered_here()
    frames = uploaded.objects("frames/")
    changed = [veiled[name] != frames[name] for name in sorted(frames)]
    assert changed == [number < FIRST_WITHOUT_VEIL for number in range(FRAMES)]


@pytest.mark.parametrize("hidden", [["the EXIF thumbnail"], None])
def test_what_hides_in_a_frame_without_veil_is_not_published(uploaded, hidden):
    """S3 copied such frames as they were, thumbnails and all. None: detections of older servers."""
    name = f"img{FIRST_WITHOUT_VEIL + 3:07d}.png"
    frame = uploaded.place.read(f"frames/{name}")
    laden = frame[:33] + chunk(b"eXIf", SECRET_EXIF) + frame[33:]
    uploaded.place.write(f"frames/{name}", laden)
    answer = json.loads(uploaded.detections.read(f"{name}.out"))
    assert answer.pop("hidden") == []
    if hidden is not None:
        answer["hidden"] = hidden
    uploaded.detections.write(f"{name}.out", json.dumps(answer).encode())
    assert state_machine.run_whole_job(uploaded.run()) == "completed"
    assert carve(laden) != []
    for content in uploaded.objects("veiled/").values():
        assert carve(content) == []
    report = json.loads(uploaded.results()["report.json"])
    assert [(loss["what"], loss["where"]) for loss in report["losses"]] == [
        ("the EXIF thumbnail", name)
    ]


def test_frames_of_another_bucket_are_read_in_place(uploaded, busy_bucket):
    """Nothing is written there; frames without a veil are copied from one bucket to the other."""
    other = replace(uploaded.bucket, bucket=busy_bucket).folder(f"raw/{uploaded.bucket.bucket}")
    for name, content in uploaded.objects("frames/").items():
        other.write(name, content)
        uploaded.place.delete([f"frames/{name}"])
    uploaded.submit(frames={"bucket": busy_bucket, "prefix": other.prefix, "rate": 25})
    assert read_status(uploaded.bucket, "talk").frames == FRAMES
    assert state_machine.run_whole_job(uploaded.run()) == "completed"
    veiled = uploaded.objects("veiled/")
    assert veiled == uploaded.rendered_here()
    raw = {item.name: other.read(item.name) for page in other.pages() for item in page}
    changed = [veiled[name] != raw[name] for name in sorted(raw)]
    assert changed == [number < FIRST_WITHOUT_VEIL for number in range(FRAMES)]
    assert all(item.name.startswith("img") for page in other.pages(recursive=True) for item in page)


def test_what_it_leaves_follows_the_schemas_and_the_manifest_holds(uploaded):
    state_machine.run_whole_job(uploaded.run())
    results = uploaded.results()
    report = json.loads(results["report.json"])
    Draft202012Validator(load_schema("report")).validate(report)
    Draft202012Validator(load_schema("analysis")).validate(json.loads(results["analysis.json"]))
    assert report["verification"]["veils"] > 0
    manifest = json.loads(results["manifest.json"])["sha256"]
    assert manifest == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in results.items()
        if name.startswith("veiled/")
    }
    success = json.loads(results["_SUCCESS"])
    digest = hashlib.sha256(results["manifest.json"]).hexdigest()
    assert success == {"version": 1, "frames": FRAMES, "manifest": f"sha256:{digest}"}
    assert types_of(uploaded.events) == ["Analysed", "Completed"]
    for event in uploaded.events:
        Draft202012Validator(load_schema("event")).validate(
            {"source": "faceveil", "detail-type": event.detail_type, "detail": event.detail}
        )


def test_features_are_nowhere_but_in_the_detections_and_go_when_asked(made):
    made.upload(retention={"delete_features": True})
    state_machine.run_whole_job(made.run())
    assert made.detected() == {}
    assert made.objects("veiled/") == made.rendered_here()
    for name, content in made.results().items():
        assert b"feat" not in content, name
    # nothing is left to be analysed, and nothing needs to be
    assert state_machine.run_whole_job(made.run()) == "completed"


def test_detections_of_another_job_are_used_and_not_deleted(made):
    made.upload()
    for name, content in made.detected().items():
        made.bucket.write(f"detections/other/{name}", content)
    made.submit(detections={"prefix": "detections/other/"}, retention={"delete_features": True})
    state_machine.run_whole_job(made.run())
    (page,) = made.bucket.folder("detections/other/").pages()
    assert len(page) == FRAMES


def test_a_point_in_a_time_range_keeps_one_person_for_that_long(made):
    selection = {
        "mode": "keep",
        "points": [{"frame": 5, "x": 31, "y": 40}],
        "times": [{"frames": [0, 6]}],
    }
    made.upload(selection=selection)
    state_machine.run_whole_job(made.run())
    analysis = parse_analysis(made.place.read("analysis.json"), "")
    visible = {
        frame
        for sequence, decision in zip(analysis.sequences, analysis.decisions, strict=True)
        for frame in sequence.frames.tolist()
        if not decision.veil
    }
    assert visible == set(range(6))
    assert made.objects("veiled/") == made.rendered_here()


def test_where_nobody_is_veiled_every_frame_is_copied(made):
    made.upload(selection={"mode": "none"})
    state_machine.run_whole_job(made.run())
    assert made.objects("veiled/") == made.objects("frames/")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"selection": {"mode": "keep", "identities": [9]}}, "no identity 9"),
        ({"selection": {"mode": "keep", "points": [{"frame": 20, "x": 1, "y": 1}]}}, "no face"),
        (
            {"selection": {"mode": "keep", "references": {"Ann": f"{PREFIX}references/ann/"}}},
            "selection.references.Ann: no photos",
        ),
    ],
)
def test_a_selection_of_nobody_fails_the_job_and_says_why(made, fields, message):
    made.upload(**fields)
    with pytest.raises(InputError, match=message):
        state_machine.run_whole_job(made.run())
    assert types_of(made.events) == ["Failed"]
    assert message in json.loads(made.place.read("error.json"))["reason"]
    assert made.objects("veiled/") == {}
