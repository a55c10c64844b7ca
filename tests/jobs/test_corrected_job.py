"""A job with corrections renders what this machine renders with them, chunk by chunk, and says so.

Over a real S3 (SeaweedFS). The network that verifies is one that sees every face of the input that
the output still shows, so that a correction taken for a fault would fail the job.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from faceveil.analysis import parse_analysis
from faceveil.assure.verify import verify
from faceveil.cli.main import main
from faceveil.corrections.document import Corrections, to_json, write_corrections
from faceveil.corrections.entries import BoxAt, Decide, Draw, Remove, Target, Track
from faceveil.errors import InputError
from faceveil.faces import FrameFaces, Kind
from faceveil.jobs import state_machine
from faceveil.jobs.client import JobClient
from faceveil.jobs.failure import failure_of
from faceveil.jobs.steps.analyse import analyse_job, load_analysed
from faceveil.jobs.submission import Submission, start_job
from faceveil.jobs.transforms.request import Machines
from faceveil.media.folder import FolderSource
from faceveil.schemas import load_schema
from testkit.made_job import FRAMES, HEIGHT, JOB_ID, MODELS, PREFIX, WIDTH, faces_at

KEY = f"{PREFIX}corrections/review.json"
AGAIN = "talk-2"
DRAWN = range(14, 21)
REMOVED = (9, 11)


def box_of(person, frame):
    return tuple(faces_at(frame).boxes[person].tolist())


def drawn_box(frame):
    return (20.0 + frame, 8.0, 60.0 + frame, 48.0)


def corrections_of(source):
    """Ann is kept; Bob's veil is removed from frames 9 to 11; a face that the networks missed was
    drawn in frame 16, and following it by its pixels has found it in all of DRAWN."""
    track = Track(
        np.array(DRAWN, np.int32), np.array([drawn_box(frame) for frame in DRAWN], np.float32)
    )
    made = Corrections(source.digest(), source.path.name, source.frame_count)
    ann, bob = (Target(sequence=BoxAt(5, box_of(person, 5))) for person in (0, 1))
    made = made.with_change(Decide(ann, "keep"), by="Ada", why="she asked for it")
    made = made.with_change(Remove(bob, *REMOVED), by="Ada", why="there is only a poster")
    drawn = Draw("o1", Kind.FACE, (BoxAt(16, drawn_box(16)),), track)
    return made.with_change(drawn, by="Ada")


class SeesWhatShows:
    """A network for the frames of the made job: it finds each face whose pixels are the input's."""

    models = MODELS

    def __init__(self, source):
        self._frames = {frame.number: frame.rgb() for frame in source}

    def __call__(self, image):
        if image.shape != (HEIGHT, WIDTH, 3):  # a part that verification looks at closely
            return FrameFaces(image.shape[1], image.shape[0], MODELS)
        number = next(n for n, shown in self._frames.items() if (shown[-1] == image[-1]).all())
        faces = faces_at(number)
        shows = []
        for x1, y1, x2, y2 in faces.boxes.astype(int).tolist():
            inside = np.s_[y1 + 10 : y2 - 10, x1 + 8 : x2 - 8]
            shows.append(bool((image[inside] == self._frames[number][inside]).all()))
        rows = np.flatnonzero(shows)
        return FrameFaces(
            WIDTH,
            HEIGHT,
            MODELS,
            boxes=faces.boxes[rows],
            scores=faces.scores[rows],
            landmarks=faces.landmarks[rows],
            features=faces.features[rows],
        )


@pytest.fixture
def source(made):
    """The frames, as a folder; everyone is veiled in the made job."""
    made.upload()
    return FolderSource(made.folder / "frames")


@pytest.fixture
def corrections(source):
    return corrections_of(source)


@pytest.fixture
def network(source):
    return SeesWhatShows(source)


def give(made, corrections):
    """Name the corrections in job.json."""
    made.bucket.write(KEY, to_json(corrections))
    made.submit(corrections=KEY)


def rendered_by_command(made, corrections):
    """What `faceveil render --corrections` makes of the job's frames and analysis."""
    analysis, document = made.folder / "analysis.json", made.folder / "corrections.json"
    analysis.write_bytes(made.place.read("analysis.json"))
    write_corrections(corrections, document)
    output = made.folder / "here"
    words = ["render", made.folder / "frames", analysis, f"{output}/", "--corrections", document]
    words += ["--verify-frames", "off", "--quiet"]
    assert main([str(word) for word in words]) == 0
    return {path.name: path.read_bytes() for path in sorted(output.iterdir())}


def changed_inside(made, veiled, frame, box):
    """The share of a box's middle in which an output differs from the input."""
    x1, y1, x2, y2 = (int(value) for value in box)
    inside = np.s_[y1 + 10 : y2 - 10, x1 + 8 : x2 - 8]
    name = f"img{frame + 1:07d}.png"
    folder = made.folder / "looked at"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(veiled[name])
    before = next(FolderSource(made.folder / "frames").frames_from(frame)).rgb()
    after = next(item for item in FolderSource(folder, gaps=True) if item.name == name).rgb()
    return float((before[inside] != after[inside]).any(axis=2).mean())


def test_a_job_with_corrections_makes_the_bytes_of_the_command(made, corrections, network):
    """And its verification takes none of them for a fault, though the faces show."""
    give(made, corrections)
    Draft202012Validator(load_schema("job")).validate(json.loads(made.place.read("job.json")))
    assert state_machine.run_whole_job(made.run(analyzer=lambda: network)) == "completed"
    veiled = made.objects("veiled/")
    assert veiled == rendered_by_command(made, corrections)

    for frame in range(8):  # Ann is kept
        assert changed_inside(made, veiled, frame, box_of(0, frame)) == 0
    for frame in range(4, 12):
        is_removed = REMOVED[0] <= frame <= REMOVED[1]
        bob = box_of(1 if frame < 8 else 0, frame)
        assert changed_inside(made, veiled, frame, bob) == (0 if is_removed else 1)
    for frame in range(13, FRAMES):
        assert (changed_inside(made, veiled, frame, drawn_box(frame)) > 0.9) == (frame in DRAWN)

    report = json.loads(made.place.read("report.json"))
    Draft202012Validator(load_schema("report")).validate(report)
    assert report["verification"]["violations"] == []
    assert report["verification"]["looked_at"] > 0
    named = report["corrections"]
    assert [(row["id"], row["op"], row["by"]) for row in named["entries"]] == [
        ("e1", "decide", "Ada"),
        ("e2", "remove", "Ada"),
        ("e3", "draw", "Ada"),
    ]
    assert named["entries"][1]["why"] == "there is only a poster"
    assert named["unresolved"] == []
    assert "tracked" not in named["entries"][2]


def test_without_the_corrections_the_same_output_would_be_refused(
    made, source, corrections, network
):
    """What the last test relies on: verification is not blind to what was kept and removed."""
    give(made, corrections)
    state_machine.run_whole_job(made.run(analyzer=lambda: network))
    output = made.folder / "output"
    output.mkdir()
    for name, content in made.objects("veiled/").items():
        (output / name).write_bytes(content)
    analysis = parse_analysis(made.place.read("analysis.json"), "")
    style = made.run().job.style
    found = verify(FolderSource(output), analysis, network, style, original=source, every=1)
    assert {item.frame for item in found.violations} >= {0, 1, 2, 9, 10, 11}


def test_analysis_json_stays_what_was_found_and_the_client_shows_what_is_rendered(
    made, corrections, s3_url
):
    give(made, corrections)
    state_machine.run_whole_job(made.run())
    client = JobClient(made.bucket.bucket, endpoint_url=s3_url)
    assert client.uncorrected(JOB_ID).veiled.all()
    assert len(client.uncorrected(JOB_ID).sequences) == 2
    assert not client.analysis(JOB_ID).veiled.all()
    people = {person.number: person for person in client.identities(JOB_ID)}
    assert [(people[n].sequences, people[n].veiled_sequences) for n in range(3)] == [
        (1, 0),
        (3, 2),
        (1, 1),
    ]
    assert to_json(client.corrections(JOB_ID)) == to_json(corrections)


def test_an_analysis_that_is_there_is_corrected_as_well(made, corrections):
    """Also where a worker finds only analysis.json, without the columns for its chunks."""
    made.submit()
    analyse_job(made.run())
    give(made, corrections)
    assert state_machine.run_whole_job(made.run()) == "completed"
    assert made.objects("veiled/") == rendered_by_command(made, corrections)


def test_corrections_that_change_while_chunks_are_rendered_stop_the_job(made, corrections):
    """No video mixes the frames of two documents."""
    give(made, corrections)
    analyse_job(made.run(), chunk_frames=10)
    made.bucket.write(KEY, to_json(replace(corrections, entries=corrections.entries[:1])))
    with pytest.raises(InputError, match="it or its corrections were changed"):
        load_analysed(made.run())


def test_a_correction_that_finds_nothing_is_named_in_the_report(made, corrections):
    lost = Target(sequence=BoxAt(22, (0.0, 0.0, 9.0, 9.0)))
    give(made, corrections.with_change(Decide(lost, "keep"), by="Ada"))
    state_machine.run_whole_job(made.run())
    named = json.loads(made.place.read("report.json"))["corrections"]
    (text,) = named["unresolved"]
    assert text.startswith("e4, decide: nothing is followed in frame 22")


BROKEN = {
    "another digest": (lambda made: replace(made, digest=f"sha256:{'9' * 64}"), "another input"),
    "another length": (lambda made: replace(made, frame_count=25), "are of 25 frames, but"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_corrections_of_another_video_are_refused_before_any_work(made, corrections, fault):
    """By the submission, and by a worker that no submission has checked for."""
    change, message = BROKEN[fault]
    give(made, change(corrections))
    made.detections.delete(made.detected())
    refused(made, message)


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": "other"}', b"\x00"])
def test_a_broken_document_is_refused_before_any_work(made, source, content):
    made.bucket.write(KEY, content)
    made.submit(corrections=KEY)
    refused(made, "review.json: ")


def test_a_document_that_is_not_there_is_refused(made, source):
    made.submit(corrections=KEY)
    refused(made, "corrections are not there")


def refused(made, message):
    machines = Machines("faceveil-model")
    submission = Submission(made.bucket, machines, lambda: pytest.fail("started"), print)
    with pytest.raises(InputError, match=message):
        start_job(submission, JOB_ID)
    assert message in failure_of(made.bucket, JOB_ID)["reason"]
    made.place.delete(["error.json"])
    with pytest.raises(InputError, match=message):
        state_machine.run_whole_job(made.run())
    assert made.objects("veiled/") == {}
    assert made.place.find("analysis.json") is None


@pytest.mark.parametrize("key", ["frames/talk/c.json", "/jobs/talk/c.json", f"{PREFIX}veiled/c"])
def test_a_place_where_no_corrections_may_lie_is_refused(made, source, key):
    made.submit(corrections=key)
    with pytest.raises(InputError, match="corrections"):
        made.run()


def test_another_document_over_the_same_detections_is_another_job(
    made, corrections, network, s3_url
):
    """The usual case: a job is looked at, corrected and rendered again; nothing is detected."""
    made.submit(selection={"mode": "only", "identities": [0]})
    state_machine.run_whole_job(made.run())
    first = made.objects("veiled/")
    client = JobClient(made.bucket.bucket, endpoint_url=s3_url)
    job = client.render_again(JOB_ID, AGAIN, corrections=corrections)
    assert client.render_again(JOB_ID, AGAIN, corrections=corrections) == job
    assert (job.detections_prefix, job.selection.mode) == ("detections/talk/", "only")
    assert job.corrections.startswith(f"jobs/{AGAIN}/corrections/")
    run = replace(made.run(analyzer=lambda: network), job=job)
    assert state_machine.run_whole_job(run) == "completed"
    again = made.bucket.folder(f"jobs/{AGAIN}/")
    assert json.loads(again.read("report.json"))["verification"]["violations"] == []
    veiled = {name: again.read(f"veiled/{name}") for name in first}
    assert veiled == rendered_by_command(made, corrections)
    assert veiled != first
    with pytest.raises(InputError, match="another job has this id"):
        client.render_again(JOB_ID, AGAIN, corrections=replace(corrections, entries=()))


def test_a_job_over_corrected_ones_keeps_its_corrections_unless_told_otherwise(
    made, corrections, s3_url
):
    give(made, corrections)
    state_machine.run_whole_job(made.run())
    client = JobClient(made.bucket.bucket, endpoint_url=s3_url)
    job = client.render_again(JOB_ID, AGAIN, {"mode": "keep", "identities": [1]})
    # A copy of its own: cleaning up after one job leaves the other whole.
    assert job.corrections.startswith(f"jobs/{AGAIN}/corrections/")
    assert made.bucket.read(job.corrections) == made.bucket.read(KEY)
    other = replace(corrections, entries=corrections.entries[:1])
    third = client.render_again(JOB_ID, "talk-3", corrections=other)
    assert made.bucket.read(third.corrections) == to_json(other)


def test_corrections_of_another_video_are_refused_before_they_are_uploaded(
    made, corrections, s3_url
):
    state_machine.run_whole_job(made.run())
    client = JobClient(made.bucket.bucket, endpoint_url=s3_url)
    with pytest.raises(InputError, match="another input"):
        client.render_again(JOB_ID, AGAIN, corrections=replace(corrections, digest="sha256:0"))
    assert not any(made.bucket.folder(f"jobs/{AGAIN}/").pages(recursive=True))
