"""Whatever fails in Processing jobs fails closed, says why, and costs nothing twice.

Real: S3 (SeaweedFS), the program of the image. Simulated: SageMaker (conftest), and the detections,
which are made up where no network is to be waited for.
"""

import io
import json
import random
import re
import signal
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image as Picture

from faceveil.errors import InputError, UsageError
from faceveil.jobs.failure import failure_of
from faceveil.jobs.job_folder import load_job
from faceveil.jobs.processing.ended import start_waiting_render
from faceveil.jobs.processing.request import ProcessingMachines
from faceveil.jobs.retry import retry_job
from faceveil.jobs.settings import Settings
from faceveil.jobs.status import read_status
from faceveil.jobs.stop import stop_job
from faceveil.jobs.submission import start_job, start_waiting
from faceveil.jobs.waiting import retry_waiting
from testkit.made_job import FRAMES, faces_at, write_frames
from testkit.servers.processing import _detail

pytestmark = pytest.mark.slow
ONE, TWO = {"instance_count": 1}, {"instance_count": 2}
UNVERIFIED = {"verification": "off"}
"""No network is opened for these jobs."""


@pytest.fixture
def made(deployment, tmp_path):
    """Noise as frames, and made-up detections of them, in the bucket."""
    for number, path in enumerate(sorted(write_frames(tmp_path / "noise").iterdir())):
        deployment.bucket.write(f"frames/talk/{path.name}", path.read_bytes())
        deployment.bucket.write(f"detections/talk/{path.name}.out", faces_at(number).to_json())
    return deployment


def ended(request, status, **fields):
    """The detail of a Processing job that has ended without having run."""
    return {**_detail(request, ["algo-1"], [], None), "ProcessingJobStatus": status, **fields}


def try_waiting(deployment):
    """As the function of the timer."""

    def retry(job_id, which):
        if which == "detect":
            start_waiting(deployment.submission, job_id)
        else:
            settings = Settings(bucket=deployment.bucket.bucket)
            run = settings.run_of(deployment.bucket, load_job(deployment.bucket, job_id))
            start_waiting_render(run, deployment.processing)

    return retry_waiting(deployment.bucket, retry, deployment.events.append, datetime.now(UTC))


def types_of(deployment):
    return [event.detail_type.removeprefix("FaceVeil Job ") for event in deployment.events]


def test_a_host_that_is_killed_fails_the_job_and_a_second_run_goes_on(deployment, tmp_path):
    """Real networks: what the first run has detected is not detected again."""
    for path in sorted(write_frames(tmp_path / "noise").iterdir()):
        deployment.bucket.write(f"frames/talk/{path.name}", path.read_bytes())
    deployment.write(processing=TWO)
    deployment.start()
    (request,) = deployment.created()

    def kill_when_some_are_detected(hosts):
        def watch():
            while hosts[0].poll() is None:
                answers = [n for n in deployment.objects("detections/talk/") if n.endswith(".out")]
                if len(answers) >= 2:
                    hosts[0].send_signal(signal.SIGKILL)
                    return
                time.sleep(0.02)

        threading.Thread(target=watch).start()

    deployment.hosts.started = kill_when_some_are_detected
    detail = deployment.hosts.run(request)
    assert detail["ProcessingJobStatus"] == "Failed"
    kept = deployment.objects("detections/talk/")
    assert len(kept) >= 2
    with pytest.raises(InputError, match=r"algo-1 .* continue with `faceveil aws retry talk`"):
        deployment.end(detail)
    assert types_of(deployment) == ["Submitted", "Failed"]
    assert deployment.objects("jobs/talk/veiled/") == {}
    deployment.hosts.started = lambda hosts: None
    deployment.hosts.told.clear()
    assert retry_job(deployment.bucket, "talk") == "detect"
    assert read_status(deployment.bucket, "talk").state == "waiting"
    assert try_waiting(deployment) == ["talk"]
    assert deployment.run() == "completed"
    names = [each["ProcessingJobName"] for each in deployment.requests]
    assert names == ["faceveil-talk", "faceveil-talk-try2", "faceveil-talk-render"]
    told = "".join(deployment.hosts.told)
    detected = [int(count) for count in re.findall(r"has detected in (\d+) frames", told)]
    assert sum(detected) == FRAMES - len(kept)
    after = deployment.objects("detections/talk/")
    assert {name: after[name] for name in kept} == kept
    assert failure_of(deployment.bucket, "talk") is None


def test_the_quota_is_waited_for_at_both_jobs(made):
    made.write(processing=TWO, **UNVERIFIED)
    made.cloud.has_machines = False
    assert made.start() == "waiting"
    assert made.created() == []
    assert try_waiting(made) == []
    made.cloud.has_machines = True
    assert try_waiting(made) == ["talk"]
    (request,) = made.created()
    made.cloud.has_machines = False
    assert made.end(made.hosts.run(request)) == "waiting"
    status = read_status(made.bucket, "talk")
    assert (status.state, status.waiting_for is not None) == ("waiting", True)
    made.cloud.has_machines = True
    assert try_waiting(made) == ["talk"]
    assert made.run() == "completed"


def test_a_job_that_aws_had_no_machines_for_is_created_again_under_another_name(made):
    made.write(processing=ONE, **UNVERIFIED)
    made.start()
    (request,) = made.created()
    reason = "CapacityError: Unable to provision requested ML compute capacity"
    assert made.end(ended(request, "Failed", FailureReason=reason)) == "waiting"
    assert try_waiting(made) == ["talk"]
    assert made.run() == "completed"
    assert [each["ProcessingJobName"] for each in made.requests] == [
        "faceveil-talk",
        "faceveil-talk-try2",
    ]


def test_no_machines_for_a_day_fail_the_job(made):
    made.write(processing=ONE, **UNVERIFIED)
    made.cloud.has_machines = False
    made.start()
    later = datetime.now(UTC) + timedelta(hours=25)

    def retry(job_id, which):
        start_waiting(made.submission, job_id)

    retry_waiting(made.bucket, retry, made.events.append, later)
    assert "no machines were free" in failure_of(made.bucket, "talk")["reason"]


def test_a_job_that_is_stopped_starts_nothing_more(made):
    made.write(processing=TWO, **UNVERIFIED)
    made.start()
    (request,) = made.created()
    stopped = stop_job(made.bucket, "talk", made.sagemaker, lambda: None, made.events.append)
    assert stopped == ["Processing job faceveil-talk"]
    assert made.cloud.happened.get_nowait()[0] == "StopProcessingJob"
    assert made.end(ended(request, "Stopped")) == "failed"
    assert made.created() == []
    assert read_status(made.bucket, "talk").state == "stopped"
    with pytest.raises(InputError, match="nothing to try again: the job is stopped"):
        retry_job(made.bucket, "talk")


def test_what_a_container_refuses_reaches_the_job_in_its_words(made):
    selection = {"mode": "keep", "identities": [99]}
    made.write(processing=ONE, selection=selection, **UNVERIFIED)
    made.start()
    with pytest.raises(InputError, match="no identity 99"):
        made.run()
    failure = failure_of(made.bucket, "talk")
    assert (failure["stage"], failure["error"]) == ("detect", "InputError")
    assert "no identity 99" in failure["reason"]
    assert made.objects("jobs/talk/veiled/") == {}


def test_a_frame_without_detections_is_veiled_whole_where_the_job_goes_on(made):
    """The detections of another job are used, one of which is gone: nothing is detected."""
    for name, content in made.objects("detections/talk/").items():
        if name != "img0000020.png.out":
            made.bucket.write(f"detections/other/{name}", content)
    made.write(
        processing=TWO,
        detections={"prefix": "detections/other/"},
        on_failure="veil_unknown",
        sequences={"extension": 2},
        **UNVERIFIED,
    )
    assert made.start() == "submitted"
    assert read_status(made.bucket, "talk").state == "analysing"
    assert made.run() == "completed"
    assert [each["ProcessingJobName"] for each in made.requests] == ["faceveil-talk-render"]
    before = made.objects("frames/talk/")["img0000020.png"]
    after = made.objects("jobs/talk/veiled/")["img0000020.png"]
    pixels = [np.asarray(picture_of(content), np.int16) for content in (before, after)]
    assert np.abs(np.diff(pixels[1], axis=1)).max() < 16 < np.abs(np.diff(pixels[0], axis=1)).max()
    report = json.loads(made.objects("jobs/talk/")["report.json"])
    assert "img0000020" in json.dumps(report)


def picture_of(content):
    return Picture.open(io.BytesIO(content))


@pytest.mark.parametrize("hosts", [ONE, TWO])
def test_a_frame_that_cannot_be_read_is_refused_or_left_out_and_named(made, hosts):
    made.bucket.write("frames/talk/img0000021.png", b"no picture")
    made.bucket.delete(["detections/talk/img0000021.png.out"])
    made.write(processing=hosts, **UNVERIFIED)
    made.write("other", processing=hosts, on_failure="veil_unknown", **UNVERIFIED)
    made.start()
    with pytest.raises(InputError, match="img0000021"):
        made.run()
    for name, content in made.objects("detections/talk/").items():
        made.bucket.write(f"detections/other/{name}", content)
    made.start("other")
    assert made.run("other") == "completed"
    veiled = made.objects("jobs/other/veiled/")
    assert len(veiled) == FRAMES - 1
    assert "img0000021.png" not in veiled
    report = json.loads(made.objects("jobs/other/")["report.json"])
    assert "img0000021.png" in json.dumps(report["problems"])


def test_hosts_that_do_not_agree_fail_the_job(made):
    """A host whose analysis differs leaves its result under another digest."""
    made.write(processing=TWO, **UNVERIFIED)
    made.start()
    (request,) = made.created()
    made.end(made.hosts.run(request))
    (request,) = made.created()
    detail = made.hosts.run(request)
    notes = [name for name in made.objects("jobs/talk/chunks/") if "-000000" in name]
    assert len(notes) == 2
    made.bucket.delete([f"jobs/talk/chunks/{max(notes)}"])
    with pytest.raises(InputError, match=r"1 of 2 hosts have left no result .* host 2"):
        made.end(detail)
    assert types_of(made) == ["Submitted", "Failed"]


def test_an_id_that_was_used_for_other_frames_is_refused(made):
    made.write(processing=ONE, **UNVERIFIED)
    made.start()
    for name, content in made.objects("frames/talk/").items():
        made.bucket.write(f"frames/more/{name}", content)
    made.bucket.delete(["jobs/talk/submit/started.json"])
    made.write(processing=ONE, frames={"prefix": "frames/more/"}, **UNVERIFIED)
    with pytest.raises(InputError, match="give the job another id"):
        made.start()


def test_a_deployment_without_processing_says_so(made):
    made.write(processing=ONE, **UNVERIFIED)
    submission = replace(
        made.submission, processing=lambda: ProcessingMachines.from_environment({})
    )
    with pytest.raises(UsageError, match="runs no Processing jobs"):
        start_job(submission, "talk")
    assert failure_of(made.bucket, "talk")["stage"] == "submit"


def test_a_burst_with_every_event_twice_completes_each_job_once(made):
    ids = ["one", "two", "three"]
    for job_id, hosts in zip(ids, (ONE, TWO, ONE), strict=True):
        for name, content in made.objects("detections/talk/").items():
            made.bucket.write(f"detections/{job_id}/{name}", content)
        made.write(job_id, processing=hosts, **UNVERIFIED)
    deliveries = ids * 2
    random.Random(0).shuffle(deliveries)
    outcomes = [made.start(job_id) for job_id in deliveries]
    assert sorted(set(outcomes)) == ["already submitted", "submitted"]
    while requests := made.created():
        ends = [made.hosts.run(request) for request in requests] * 2
        random.Random(1).shuffle(ends)
        for detail in ends:
            name = detail["ProcessingJobName"].removeprefix("faceveil-").removesuffix("-render")
            assert made.end(detail, name) in ("completed", "rendering")
    completed = [e.detail["job_id"] for e in made.events if e.detail_type.endswith("Completed")]
    assert sorted(completed) == sorted(ids)
    assert len(made.requests) == 4
    first = made.objects("jobs/one/veiled/")
    assert len(first) == FRAMES
    assert first == made.objects("jobs/two/veiled/")
