"""The guide for backends says what is so: its Python runs, its documents follow the schemas."""

import json
import re
import threading
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from faceveil.aws.s3 import S3Location
from faceveil.corrections.document import Corrections, write_corrections
from faceveil.corrections.entries import BoxAt, Decide, Target
from faceveil.jobs import state_machine
from faceveil.jobs.client import JobClient
from faceveil.jobs.job import own_detections, read_job
from faceveil.jobs.job_run import JobRun
from faceveil.schemas import load_schema
from testkit import PROJECT
from testkit.made_job import FRAMES, NoFaces, faces_at, write_frames

GUIDE_PATH = PROJECT / "docs" / "guides" / "backend.md"
GUIDE = GUIDE_PATH.read_text()
EVENTS = {f"FaceVeil Job {name}" for name in ("Submitted", "Analysed", "Completed", "Failed")}


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


DOCUMENTS = [json.loads(block) for block in blocks("json")]


def test_every_event_is_shown_as_the_schema_has_it():
    shown = [document for document in DOCUMENTS if "detail-type" in document]
    assert {document["detail-type"] for document in shown} == EVENTS
    for document in shown:
        Draft202012Validator(load_schema("event")).validate(document)


def test_the_rule_matches_the_events():
    (rule,) = [document for document in DOCUMENTS if isinstance(document.get("source"), list)]
    for event in DOCUMENTS:
        if "detail-type" in event:
            assert event["source"] in rule["source"]
            assert event["detail"]["bucket"] in rule["detail"]["bucket"]


def test_the_jobs_can_be_used():
    jobs = [document for document in DOCUMENTS if "frames" in document]
    assert jobs
    for job in jobs:
        read_job(json.dumps(job).encode(), f"jobs/{job['id']}/job.json")


def test_every_file_it_names_exists():
    links = re.findall(r"\]\((\.\./[^)#]+)\)", GUIDE)
    assert links
    for link in links:
        assert (GUIDE_PATH.parent / link).exists(), link


class Deployment(threading.Thread):
    """Does each new job of a bucket; what the made job's frames show is known."""

    def __init__(self, bucket, scratch):
        super().__init__(daemon=True)
        self.bucket, self.scratch = bucket, scratch
        self.done = {}
        self.stopped = threading.Event()

    def run(self):
        while not self.stopped.wait(0.05):
            names = [i.name for p in self.bucket.folder("jobs/").pages(recursive=True) for i in p]
            for name in names:
                job_id, _, rest = name.partition("/")
                if rest == "job.json" and job_id not in self.done:
                    self.done[job_id] = self.work(job_id)

    def work(self, job_id):
        job = read_job(self.bucket.read(f"jobs/{job_id}/job.json"), f"jobs/{job_id}/job.json")
        for number in range(0 if job.has_detections else FRAMES):
            name = f"img{number + 1:07d}.png.out"
            self.bucket.write(own_detections(job_id) + name, faces_at(number).to_json())
        run = JobRun(self.bucket, job, lambda event: None, NoFaces, "deployment", self.scratch)
        return state_machine.run_whole_job(run)


@pytest.fixture
def deployment(bucket, s3_url, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
    monkeypatch.setenv("FACEVEIL_BUCKET", bucket)
    monkeypatch.chdir(tmp_path)
    write_frames(tmp_path / "frames")
    deployment = Deployment(S3Location.open(f"s3://{bucket}"), tmp_path)
    deployment.start()
    yield deployment
    deployment.stopped.set()
    deployment.join()


def reviewed(bucket):
    """What a review of the first job saves: one person is kept."""
    analysis = JobClient(bucket).analysis("talk-1")
    at = BoxAt(analysis.sequences[0].first, tuple(analysis.sequences[0].boxes[0].tolist()))
    change = Decide(Target(identity=at), "keep")
    return Corrections.of(analysis.source).with_change(change, by="Ada")


def test_the_python_runs_as_it_stands(deployment, bucket, capsys):
    known = {}
    for block in blocks("python"):
        if "read_corrections" in block:
            write_corrections(reviewed(bucket), Path("talk-1.corrections.json"))
        exec(compile(block, GUIDE_PATH.name, "exec"), known)
    said = capsys.readouterr().out
    assert "completed" in said
    assert f"{FRAMES} objects, the frames under jobs/talk-1/veiled/" in said
    assert "there is no such job" in said
    client = JobClient(bucket)
    for job_id, kept in (("talk-1-by-click", 1), ("talk-1-only", 1), ("talk-1-corrected", 1)):
        assert client.wait(job_id, timeout=60, pause=0.1).state == "completed"
        shown = [row for row in client.identities(job_id) if not row.veiled_sequences]
        assert len(shown) == kept
