"""A job that is stopped: nothing of it goes on, whatever events are still to come.

Real: S3 (SeaweedFS). Simulated: SageMaker's and Batch's control planes (LocalCloud).
"""

import pytest

from faceveil.errors import InputError
from faceveil.jobs import state_machine
from faceveil.jobs.chunks.batch_queue import BatchQueue
from faceveil.jobs.job_folder import UnknownJobError
from faceveil.jobs.state_changes import BatchEnd, TransformEnd
from faceveil.jobs.status import read_status
from faceveil.jobs.steps.analyse import analyse_job
from faceveil.jobs.stop import stop_job
from faceveil.jobs.submission import Submission, start_job
from faceveil.jobs.transforms.request import Machines
from testkit.servers.local_cloud import LocalCloud


@pytest.fixture
def cloud():
    with LocalCloud() as cloud:
        yield cloud


@pytest.fixture
def stop(uploaded, cloud, connect):
    """Stops a job of the bucket: what was stopped."""

    def stop(job_id="talk"):
        return stop_job(
            uploaded.bucket,
            job_id,
            lambda: connect("sagemaker", cloud.url),
            lambda: connect("batch", cloud.url),
            uploaded.events.append,
        )

    return stop


def called(cloud):
    return [cloud.happened.get_nowait() for _ in range(cloud.happened.qsize())]


def test_a_job_that_detects_is_stopped_and_its_end_starts_nothing(uploaded, cloud, connect, stop):
    submission = Submission(
        uploaded.bucket,
        Machines("faceveil"),
        lambda: connect("sagemaker", cloud.url),
        uploaded.events.append,
    )
    assert start_job(submission, "talk") == "submitted"
    assert stop() == ["transform job faceveil-talk"]
    operations = [operation for operation, _ in called(cloud)]
    assert operations == ["CreateTransformJob", "StopTransformJob"]
    status = read_status(uploaded.bucket, "talk")
    assert (status.state, str(status), status.has_ended) == ("stopped", "stopped", True)
    assert uploaded.events[-1].detail["error"] == "StoppedError"
    before = uploaded.objects()
    end = TransformEnd("talk", "Stopped", "", None)
    assert state_machine.on_transform_ended(uploaded.run(), end, None, None) == "failed"
    assert uploaded.objects() == before
    cloud.states["faceveil-talk"] = "Stopped"
    assert stop() == []
    assert start_job(submission, "talk") == "failed before"


def test_a_job_that_renders_is_stopped_and_its_children_do_nothing(uploaded, cloud, connect, stop):
    analysed = analyse_job(uploaded.run())
    queue = BatchQueue(connect("batch", cloud.url), "queue", "definition")
    batch_job = queue.submit_chunks(uploaded.run(), analysed.plan)
    assert stop() == [f"Batch job {batch_job}"]
    assert called(cloud)[-1] == (
        "TerminateJob",
        {"jobId": batch_job, "reason": "the job was stopped"},
    )
    assert state_machine.render_one_chunk(uploaded.run(), 0) == "failed"
    end = BatchEnd("talk", analysed.plan.digest, succeeded=False, reason="terminated")
    assert state_machine.on_array_job_ended(uploaded.run(), end, None, None) == "failed"
    assert uploaded.objects("veiled/") == {}
    assert [event.detail_type for event in uploaded.events] == [
        "FaceVeil Job Analysed",
        "FaceVeil Job Failed",
    ]


def test_a_job_that_has_ended_or_does_not_exist_is_refused(made, uploaded, stop, cloud):
    with pytest.raises(UnknownJobError):
        stop("other")
    made.submit(verification="off")
    state_machine.run_whole_job(made.run())
    with pytest.raises(InputError, match="nothing to stop: the job is completed"):
        stop()
    assert called(cloud) == []
