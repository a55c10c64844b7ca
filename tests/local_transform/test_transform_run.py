"""A whole job: each object posted once, failures kept apart, the event told whatever happens.

The model's server is testkit.servers.stub_model_server, told by each object what to do; S3 is
SeaweedFS.
"""

import json
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from faceveil.aws.clients import s3_client
from faceveil.errors import FaceveilError, InputError, OutputError, UsageError
from faceveil.local_transform.inputs import MEGABYTE
from faceveil.local_transform.parameters import TransformJob
from faceveil.local_transform.run import run_job
from faceveil.local_transform.server import RunningServer
from faceveil.progress import QuietProgress


class Job:
    """Runs jobs from in/ to out/ of a folder against a server, and keeps what was told."""

    def __init__(self, folder, server, client):
        self.folder, self.server, self.client = folder, server, client
        self.events, self.failures, self.entered, self.start_seconds = [], [], 0, 5

    def put(self, **objects):
        for name, body in objects.items():
            path = self.folder / "in" / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(body)

    @contextmanager
    def serve(self):
        self.entered += 1
        yield RunningServer(self.server.url)

    def run(self, resume=False, source=None, target=None, progress=None, **changes):
        self.events.clear()
        self.failures.clear()
        source, target = source or str(self.folder / "in"), target or str(self.folder / "out")
        return run_job(
            TransformJob("job", source, target, **changes),
            self.serve(),
            self.client,
            start_seconds=self.start_seconds,
            resume=resume,
            progress=progress or QuietProgress(),
            announce=self.events.append,
            report=self.failures.append,
        )

    @property
    def answers(self):
        # without those that are being written under a temporary name
        files = (self.folder / "out").rglob("[!.]*.out")
        return {path.name: json.loads(path.read_bytes()) for path in files}

    @property
    def status(self):
        (event,) = self.events
        return event["detail"]["TransformJobStatus"]


@pytest.fixture
def job(tmp_path, stub, aws_credentials):
    return Job(tmp_path, stub, s3_client("http://127.0.0.1:9"))


def test_every_object_is_posted_once_and_answered_under_its_name(job, stub):
    bodies = {f"img{number:07d}.jpg": f"ok {number}".encode() for number in range(300)}
    job.put(**bodies)
    outcome = job.run(content_type="image/jpeg")
    assert (outcome.done, outcome.failed, outcome.skipped) == (300, 0, 0)
    assert stub.bodies == Counter(bodies.values())
    assert {name: said["text"].encode() for name, said in job.answers.items()} == {
        f"{name}.out": body for name, body in bodies.items()
    }
    assert {said["content_type"] for said in job.answers.values()} == {"image/jpeg"}
    assert job.status == "Completed"
    assert "FailureReason" not in job.events[0]["detail"]
    assert job.events[0]["detail"]["MaxConcurrentTransforms"] == 4


def test_as_many_requests_are_open_as_the_server_wants(job, stub):
    job.put(**{f"{number}.jpg": b"slow 0.05 %d" % number for number in range(24)})
    job.run()
    assert stub.most_open_requests == 4
    job.run(max_concurrent=2)
    stub.most_open_requests = 0
    job.run(max_concurrent=2)
    assert stub.most_open_requests == 2


def test_an_object_that_fails_keeps_nothing_from_the_others(job):
    job.put(a=b"ok", b=b"status 500", c=b"status 400", d=b"close", e=b"once 503", f=b"close-once")
    job.put(big=bytes(MEGABYTE + 1))
    outcome = job.run(max_payload_mb=1, max_retries=1)
    assert set(job.answers) == {"a.out", "e.out", "f.out"}
    assert (outcome.done, outcome.failed) == (3, 4)
    told = {failure.name: failure.reason for failure in job.failures}
    assert set(told) == {"b", "c", "d", "big"}
    assert "answered 500" in told["b"] and "2 attempts" in told["b"]
    assert "answered 400" in told["c"] and "attempts" not in told["c"]
    assert "gave no answer" in told["d"]
    assert "more than MaxPayloadInMB (1)" in told["big"]
    assert job.status == "Failed"
    reason = job.events[0]["detail"]["FailureReason"]
    assert reason.startswith("4 of 7 objects failed: ")
    assert all(f"{name}: " in reason for name in told)


def test_no_payload_limit_sends_anything_chunked(job):
    job.put(big=b"ok " + bytes(7 * MEGABYTE))
    assert job.run(max_payload_mb=0).failed == 0
    assert job.answers["big.out"]["chunked"]


def test_resuming_posts_only_what_has_no_answer(job, stub):
    job.put(a=b"ok a", b=b"once 400 b", c=b"ok c")
    assert job.run().failed == 1
    outcome = job.run(resume=True)
    assert (outcome.done, outcome.skipped) == (1, 2)
    assert stub.bodies == {b"ok a": 1, b"once 400 b": 2, b"ok c": 1}
    assert job.status == "Completed"


def test_a_job_that_is_done_starts_no_server_again(job):
    job.put(a=b"ok")
    job.run()
    assert job.run(resume=True).skipped == 1
    assert job.entered == 1
    assert job.status == "Completed"
    assert "TransformStartTime" not in job.events[0]["detail"]


def test_without_resuming_answers_are_replaced(job, stub):
    job.put(a=b"ok")
    job.run()
    assert job.run().done == 1
    assert stub.bodies[b"ok"] == 2


def test_a_manifest_chooses(job, tmp_path):
    job.put(**{f"{number}.jpg": b"ok %d" % number for number in range(10)})
    manifest = tmp_path / "coarse.json"
    manifest.write_text(json.dumps([{"prefix": "in/"}, "0.jpg", "5.jpg", "gone.jpg"]))
    outcome = job.run(source=str(manifest), manifest=True)
    assert set(job.answers) == {"0.jpg.out", "5.jpg.out"}
    assert [failure.name for failure in job.failures] == ["gone.jpg"]
    assert outcome.failed == 1


def test_an_empty_input_fails_before_a_server_is_started(job, tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match="holds no objects"):
        job.run()
    assert job.entered == 0
    assert job.status == "Failed"


def test_a_server_that_is_never_healthy_fails_the_job(job, stub):
    job.put(a=b"ok")
    stub.unhealthy_pings, job.start_seconds = 10**9, 0.1
    with pytest.raises(FaceveilError, match="not healthy within"):
        job.run()
    assert job.status == "Failed"
    assert not stub.bodies


def test_a_product_over_100_mb_is_refused_before_anything_is_posted(job, stub):
    job.put(a=b"ok")
    with pytest.raises(UsageError, match="100 MB"):
        job.run(max_payload_mb=50)
    assert not stub.bodies
    assert job.status == "Failed"


def test_a_server_that_is_gone_ends_the_job_at_once(job, tmp_path):
    """Not after three retries for each of a million objects."""
    names = ["leave", *(f"{number:03}" for number in range(500))]
    job.put(**dict.fromkeys(names, b"slow 0.01"))
    job.put(leave=b"leave")
    manifest = tmp_path / "all.json"
    manifest.write_text(json.dumps([{"prefix": "in"}, *names]))
    with pytest.raises(FaceveilError, match="does not answer any more"):
        job.run(source=str(manifest), manifest=True, max_retries=1)
    assert job.status == "Failed"
    assert len(job.answers) < 500


def test_an_output_that_cannot_be_kept_ends_the_job(job, tmp_path):
    job.put(**{f"{number}.jpg": b"ok %d" % number for number in range(200)})
    (tmp_path / "out").mkdir()
    for number in range(200):
        (tmp_path / "out" / f"{number}.jpg.out").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        job.run()
    assert job.status == "Failed"


def test_an_interrupt_keeps_what_is_done_and_tells_stopped(job, stub):
    job.put(**{f"{number:03}": b"slow 0.02 %d" % number for number in range(200)})

    class Interrupting(QuietProgress):
        @contextmanager
        def stage(self, name, total):
            assert (name, total) == ("transform", 200)
            yield self

        def advance(self):
            if len(job.answers) > 10:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job.run(progress=Interrupting())
    assert job.status == "Stopped"
    time.sleep(0.1)
    posted = stub.bodies.total()
    assert 10 < posted < 100
    assert len(job.answers) == posted  # those under way were let finish
    assert job.run(resume=True).done == 200 - posted


def test_answers_among_the_input_are_refused(job, tmp_path):
    job.put(a=b"ok")
    with pytest.raises(UsageError):
        job.run(target=str(tmp_path / "in"))
    assert not job.events


def test_a_job_in_s3(job, s3, bucket, s3_url):
    """Relative keys kept, one failure, resumed."""
    job.client = s3_client(s3_url)
    bodies = {"1.jpg": b"ok 1", "shot 2/2.jpg": b"ok 2", "shot 2/3.jpg": b"once 400"}
    for name, body in bodies.items():
        s3.put_object(Bucket=bucket, Key=f"frames/{name}", Body=body)
    source, target = f"s3://{bucket}/frames", f"s3://{bucket}/jobs/7/detections"
    outcome = job.run(source=source, target=target)
    assert (outcome.done, outcome.failed) == (2, 1)
    assert [failure.name for failure in job.failures] == ["shot 2/3.jpg"]
    outcome = job.run(resume=True, source=source, target=target)
    assert (outcome.done, outcome.skipped) == (1, 2)
    found = s3.list_objects_v2(Bucket=bucket, Prefix="jobs/7/")["Contents"]
    assert [item["Key"] for item in found] == [
        f"jobs/7/detections/{name}.out" for name in ("1.jpg", "shot 2/2.jpg", "shot 2/3.jpg")
    ]
    assert job.events[0]["detail"]["TransformOutput"]["S3OutputPath"] == target
