"""`faceveil review --job`: the studio over a job in S3 (SeaweedFS), which another job renders.

The deployment is the library's own steps in a thread (testkit.job_worker).
"""

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from faceveil.aws.s3 import S3Location
from faceveil.cli.main import main
from faceveil.corrections.document import Corrections, parse_corrections, to_json
from faceveil.corrections.entries import BoxAt, Decide, Name, Target
from faceveil.errors import InputError, UsageError
from faceveil.faces import FrameFaces
from faceveil.jobs import state_machine
from faceveil.jobs.client import JobClient
from faceveil.jobs.job import JOBS
from faceveil.jobs.job_folder import UnknownJobError
from faceveil.media.folder import FolderSource
from faceveil.review.cloud import CorrectionsObject, open_job, rendered_id
from faceveil.review.output import Outputs
from faceveil.review.store import ChangedElsewhereError
from testkit.clips import make_clip, write_frames
from testkit.job_worker import working
from testkit.made_job import FRAMES, HEIGHT, JOB_ID, MODELS, WIDTH, MadeJob, faces_at
from testkit.made_review import TOKEN, served
from testkit.review_studio import KEPT, MISSED, TWO_PEOPLE
from testkit.truth import coverage_of_pixels
from tests.review.driving import api, corrected, drag, go_to, settle

ANN = tuple(faces_at(5).boxes[0].tolist())
SIZE = {"width": 640, "height": 360}
STUDIO_FRAMES = 75
EMPTY = Corrections(f"sha256:{'0' * 64}", "frames", FRAMES)


@pytest.fixture
def made(bucket, s3_url, tmp_path):
    """The made job, completed: everyone is veiled."""
    made = MadeJob(S3Location.open(f"s3://{bucket}", s3_url), tmp_path)
    made.upload()
    state_machine.run_whole_job(made.run())
    return made


@pytest.fixture
def jobs(made, s3_url):
    return JobClient(made.bucket.bucket, endpoint_url=s3_url)


def finished(client, task):
    """The task, once it is over."""
    deadline = time.monotonic() + 120
    while task["state"] == "running":
        assert time.monotonic() < deadline, task
        time.sleep(0.1)
        task = client.get(f"tasks/{task['id']}")
    return task


def keep_ann(client):
    row = next(row for row in range(2) if client.get(f"sequences/{row}")["first"] == 0)
    client.correct("decide", target={"sequence": row}, decision="keep")


def test_a_job_is_looked_at_corrected_and_rendered_by_another_job(made, jobs):
    review, outputs = open_job(jobs, JOB_ID, "Ada")
    with served(review, outputs) as client, working(made.bucket, made.folder) as done:
        state = client.get("state")
        assert state["video"]["frame_count"] == FRAMES
        assert state["saved_in"] == f"s3://{made.bucket.bucket}/jobs/{JOB_ID}/corrections.json"
        for view in ("input", "veiled"):
            status, picture, _ = client.ask("GET", f"/api/v1/frames/20.jpg?view={view}")
            assert (status, picture[:2]) == (200, b"\xff\xd8")
        keep_ann(client)
        saved = parse_corrections(made.place.read("corrections.json"), "")
        assert [(entry.op, entry.by) for entry in saved.entries] == [("decide", "Ada")]

        assert finished(client, client.post("render", {}))["state"] == "done"
        (new_id,) = done
        assert new_id.startswith(f"{JOB_ID}-review-")
        output = client.get("state")["output"]
        assert output == {
            "path": f"s3://{made.bucket.bucket}/jobs/{new_id}/veiled/",
            "ready": True,
            "verified": True,
            "revision": client.get("state")["revision"],
        }
        status, report, _ = client.ask("GET", "/api/v1/report.json")
        assert status == 200
        assert [row["op"] for row in json.loads(report)["corrections"]["entries"]] == ["decide"]
        status, page, headers = client.ask("GET", "/api/v1/report.html")
        assert (status, headers["content-type"].partition(";")[0]) == (200, "text/html")
        assert b"Veiling report" in page
        status, refusal, _ = client.ask("GET", "/api/v1/output")
        assert (status, f"aws download {new_id}" in refusal.decode()) == (422, True)
        # The same corrections again are the same job.
        assert finished(client, client.post("render", {}))["state"] == "done"
        assert done == [new_id]
    shown = [row.number for row in jobs.identities(new_id) if not row.veiled_sequences]
    assert len(shown) == 1


def test_the_frames_are_those_that_are_rendered_here(made, jobs, tmp_path):
    """With --output, this machine renders into a folder: the same bytes as the job's."""
    review, outputs = open_job(jobs, JOB_ID, "Ada")
    with served(review, outputs) as client, working(made.bucket, made.folder) as done:
        keep_ann(client)
        finished(client, client.post("render", {"style": "solid"}))
        (new_id,) = done
        here = Outputs(review, tmp_path / "here")
        finished(client, here.start("solid", False))
    place = made.bucket.folder(f"{JOBS}{new_id}/veiled/")
    files = {path.name: path.read_bytes() for path in sorted((tmp_path / "here").iterdir())}
    assert len(files) == FRAMES
    assert {name: place.read(name) for name in files} == files


def test_frames_of_another_bucket_are_reviewed_in_place(bucket, busy_bucket, s3_url, tmp_path):
    """They are shown from there, and the job that renders what was corrected reads them there."""
    made = MadeJob(S3Location.open(f"s3://{bucket}", s3_url), tmp_path)
    raw = replace(made.bucket, bucket=busy_bucket).folder("raw/talk")
    made.upload()
    made.submit(frames={"bucket": busy_bucket, "prefix": raw.prefix, "rate": 25})
    frames = made.objects("frames/")
    for name, content in frames.items():
        raw.write(name, content)
    made.place.folder("frames").delete(frames)
    assert state_machine.run_whole_job(made.run()) == "completed"
    review, outputs = open_job(JobClient(bucket, endpoint_url=s3_url), JOB_ID, "Ada")
    with served(review, outputs) as client, working(made.bucket, made.folder) as done:
        assert client.ask("GET", "/api/v1/frames/5.jpg")[0] == 200
        keep_ann(client)
        task = finished(client, client.post("render", {"style": "solid"}))
        assert task["state"] == "done", task
        (new_id,) = done
    place = made.bucket.folder(f"{JOBS}{new_id}/veiled/")
    first = min(frames)
    assert place.read(first) == frames[first], "only Ann is there, and she is kept"


def test_what_verification_found_is_shown(made, jobs):
    """A job that fails since a face shows is no dead end: its findings lead to the frames."""

    class SeesSomeone:
        models = MODELS

        def __call__(self, image):
            height, width = image.shape[:2]
            is_frame = (height, width) == (HEIGHT, WIDTH)
            # In the second view, which enlarges it, a face lies in the middle.
            box = [110, 4, 150, 28] if is_frame else [144, 163, 240, 221]
            return seen(np.array([box]), width, height)

    review, outputs = open_job(jobs, JOB_ID, "Ada")
    with (
        served(review, outputs) as client,
        working(made.bucket, made.folder, analyzer=SeesSomeone),
    ):
        keep_ann(client)
        task = finished(client, client.post("render", {}))
        output, findings = client.get("state")["output"], client.get("findings")
    assert (task["state"], output["verified"]) == ("done", False)
    assert "shows what must be veiled" in task["message"]
    assert 0 in {row["frame"] for row in findings}


def test_a_job_that_cannot_be_made_says_why(made, jobs):
    review, outputs = open_job(jobs, JOB_ID, "Ada")
    with served(review, outputs) as client:
        made.detections.delete(made.detected())
        made.submit(retention={"delete_features": True})
        task = finished(client, client.post("render", {}))
        assert (task["state"], "detections are deleted" in task["message"]) == ("failed", True)
        assert "no matte" in client.post("render", {"matte": True}, 422)["error"]["message"]


def test_watching_a_job_can_be_cancelled(made, jobs):
    """No deployment is at work: the job would never end."""
    review, outputs = open_job(jobs, JOB_ID, "Ada")
    with served(review, outputs) as client:
        task = client.post("render", {})
        time.sleep(0.5)
        assert client.post("render", {}, 409)["error"]["code"] == "busy"
        client.ask("DELETE", f"/api/v1/tasks/{task['id']}")
        assert finished(client, task)["state"] == "cancelled"


def test_two_reviewers_notice_each_other(made, jobs):
    """S3 compares what was read with what is there: no change of either is lost."""
    one, other = open_job(jobs, JOB_ID, "Ada"), open_job(jobs, JOB_ID, "Bob")
    with served(*one) as ada, served(*other) as bob:
        ada.correct("name", identity=0, name="Grace")
        answer = bob.post(
            "corrections",
            {
                "revision": bob.get("state")["revision"],
                "op": "name",
                "identity": 1,
                "name": "Hopper",
            },
            409,
        )
        assert answer["error"]["code"] == "elsewhere"
        assert "Grace" in [person["name"] for person in bob.get("people")["people"]]
        bob.correct("name", identity=1, name="Hopper")
        entries = parse_corrections(made.place.read("corrections.json"), "").entries
    assert [(entry.by, entry.change.name) for entry in entries] == [
        ("Ada", "Grace"),
        ("Bob", "Hopper"),
    ]


def test_a_review_goes_on_with_what_its_job_was_rendered_with(made, jobs):
    """And a document that somebody reviewed wins over it."""
    source = jobs.uncorrected(JOB_ID).source
    first = Corrections.of(source).with_change(
        Decide(Target(sequence=BoxAt(5, ANN)), "keep"), by="Ada"
    )
    jobs.render_again(JOB_ID, "talk-2", corrections=first)
    state_machine.run_whole_job(replace(made.run(), job=jobs.job("talk-2")))
    review, _ = open_job(jobs, "talk-2", "Bob")
    assert to_json(review.version.corrections) == to_json(first)
    review.close()
    later = first.with_change(Name(BoxAt(5, ANN), "Ann"), by="Bob")
    made.bucket.write("jobs/talk-2/corrections.json", to_json(later))
    review, _ = open_job(jobs, "talk-2", "Bob")
    assert to_json(review.version.corrections) == to_json(later)
    review.close()


def test_an_object_is_written_over_what_was_read_only(made):
    one, other = (CorrectionsObject(made.place, None) for _ in range(2))
    assert one.read() is None
    assert other.read() is None
    one.write(EMPTY)
    with pytest.raises(ChangedElsewhereError):
        other.write(EMPTY.with_change(Name(BoxAt(5, ANN), "Ann"), by="Bob"))
    assert other.read().entries == ()
    other.write(EMPTY.with_change(Name(BoxAt(5, ANN), "Ann"), by="Bob"))
    with pytest.raises(ChangedElsewhereError):
        one.write(EMPTY)
    made.place.delete(["corrections.json"])
    with pytest.raises(ChangedElsewhereError):
        other.write(EMPTY)


def test_the_id_of_what_is_rendered_is_made_of_its_content():
    veil = {"style": "round"}
    first = rendered_id(JOB_ID, EMPTY, veil)
    assert rendered_id(JOB_ID, EMPTY, veil) == first
    assert rendered_id(first, EMPTY, veil) == first, "no endings pile up"
    assert rendered_id(JOB_ID, EMPTY, {"style": "solid"}) != first
    assert len(rendered_id("x" * 54, EMPTY, veil)) <= 47


@pytest.fixture
def clip():
    """Two people who never meet, in one shot."""
    return make_clip(*SIZE.values(), STUDIO_FRAMES, seed=0, scenes=TWO_PEOPLE)


@pytest.fixture
def missed(clip, bucket, s3_url, tmp_path):
    """A job in which one person is kept, and the other was never detected."""
    place = S3Location.open(f"s3://{bucket}", s3_url)
    write_frames(clip, tmp_path / "frames")
    truth, kept = clip.truth, clip.truth.people.index(KEPT)
    for number, path in enumerate(sorted((tmp_path / "frames").iterdir())):
        place.write(f"frames/{JOB_ID}/{path.name}", path.read_bytes())
        boxes = truth.boxes[(truth.frames == number) & (truth.person == kept)]
        answer = seen(boxes, **SIZE).to_json()
        place.write(f"detections/{JOB_ID}/{path.name}.out", answer)
    x1, y1, x2, y2 = truth.boxes[(truth.frames == 0) & (truth.person == kept)][0].tolist()
    point = {"frame": 0, "x": (x1 + x2) / 2, "y": (y1 + y2) / 2}
    job = {
        "version": 1,
        "id": JOB_ID,
        "frames": {"prefix": f"frames/{JOB_ID}/", "rate": 25},
        "selection": {"mode": "keep", "points": [point]},
    }
    jobs = JobClient(bucket, endpoint_url=s3_url)
    with working(place, tmp_path):
        jobs.submit(job)
        assert jobs.wait(JOB_ID, timeout=120, pause=0.2).state == "completed"
    return jobs


@pytest.mark.slow
def test_one_box_drawn_in_the_browser_veils_a_missed_person_in_the_cloud(
    missed, clip, open_page, tmp_path
):
    """Drawn once in one frame, followed here by the pixels of S3, rendered by a job over there."""
    truth = clip.truth
    person = truth.people.index(MISSED)
    middle = STUDIO_FRAMES // 2
    review, outputs = open_job(missed, JOB_ID, "Ada")
    with served(review, outputs) as client, working(missed.bucket, tmp_path) as done:
        page = open_page(f"http://127.0.0.1:{client.port}/?token={TOKEN}")
        go_to(page, middle)
        left, top, right, bottom = truth.boxes[(truth.frames == middle) & (truth.person == person)][
            0
        ].tolist()
        page.keyboard.press("d")
        corrected(page, lambda: drag(page, (left, top), (right, bottom), **SIZE))
        page.keyboard.press("r")
        page.get_by_role("button", name="Render and verify").click()
        page.wait_for_timeout(500)
        settle(page, 300)
        state = api(page, "state")
        assert [task["state"] for task in state["tasks"]] == ["done", "done"], state
        assert state["output"]["verified"] is True
    (new_id,) = done
    place = missed.bucket.folder(f"{JOBS}{new_id}/veiled/")
    veiled = tmp_path / "veiled"
    veiled.mkdir()
    for page_of in place.pages():
        for item in page_of:
            (veiled / item.name).write_bytes(place.read(item.name))
    frames = [
        [frame.rgb() for frame in FolderSource(folder)] for folder in (tmp_path / "frames", veiled)
    ]
    covered = coverage_of_pixels(truth, *frames)
    assert (covered[truth.person == person] >= 0.9).mean() >= 0.99
    assert (covered[truth.person != person] == 0).all()


def seen(boxes, width, height):
    """What a server answers for a frame with these faces of one person."""
    count = len(boxes)
    return FrameFaces(
        width,
        height,
        MODELS,
        boxes=boxes.astype(np.float32),
        scores=np.full(count, 0.99, np.float32),
        landmarks=np.zeros((count, 5, 2), np.float32),
        features=np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        thumbnail=np.full((27, 48, 3), 128, np.uint8),
    )


def test_what_cannot_be_reviewed_is_refused(made, jobs, s3_url, monkeypatch, capsys):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
    bucket = ["--bucket", made.bucket.bucket, "--no-browser"]
    with pytest.raises(UnknownJobError):
        open_job(jobs, "no-such-job", "")
    assert main(["review"]) == UsageError.exit_code
    assert main(["review", "talk.mp4", "--job", JOB_ID, *bucket]) == UsageError.exit_code
    assert main(["review", "--job", "no-such-job", *bucket]) == InputError.exit_code
    assert "there is no such job" in capsys.readouterr().err
    chosen = ["--keep-at", "5:30,40"]
    assert main(["review", "--job", JOB_ID, *bucket, *chosen]) == UsageError.exit_code
    made.bucket.write(f"jobs/{JOB_ID}/corrections.json", to_json(EMPTY))
    assert main(["review", "--job", JOB_ID, *bucket]) == InputError.exit_code
    assert "of another input" in capsys.readouterr().err
    made.place.delete(["corrections.json", f"frames/img{FRAMES:07d}.png"])
    assert main(["review", "--job", JOB_ID, *bucket]) == InputError.exit_code
    assert f"{FRAMES - 1} frames, but {FRAMES} were analysed" in capsys.readouterr().err
    made.place.delete(["analysis.json"])
    assert main(["review", "--job", JOB_ID, *bucket]) == InputError.exit_code
