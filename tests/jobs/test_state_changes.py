"""Events of AWS are told apart: ours from others', ends from beginnings; both forms of time."""

from datetime import UTC, datetime

import pytest

from faceveil.jobs.state_changes import NotOursError, batch_end, moment, reuse, transform_end

DETAIL = {
    "TransformJobName": "faceveil-talk-1",
    "TransformJobStatus": "Completed",
    "TransformOutput": {"S3OutputPath": "s3://bucket/detections/talk-1/"},
    "CreationTime": "2026-11-20T10:00:00Z",
    "TransformEndTime": "2026-11-20T10:01:30Z",
}
BATCH = {"jobName": "faceveil-talk-1-0123456789abcdef", "status": "SUCCEEDED"}


def test_the_end_of_a_transform_job():
    end = transform_end(DETAIL)
    assert (end.job_id, end.is_whole, end.seconds) == ("talk-1", True, 90)
    milliseconds = {"CreationTime": 1763632800000, "TransformEndTime": 1763632890000}
    assert transform_end({**DETAIL, **milliseconds}).seconds == 90
    failed = transform_end(
        {**DETAIL, "TransformJobStatus": "Failed", "FailureReason": "AlgorithmError"}
    )
    assert (failed.is_whole, failed.reason) == (False, "AlgorithmError")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"TransformJobName": "mnist"}, "none of this deployment's"),
        ({"TransformJobName": "faceveil-"}, "none of this deployment's"),
        ({"TransformJobName": "faceveil-a/../b"}, "none of this deployment's"),
        ({"TransformJobStatus": "InProgress"}, "not at its end"),
        ({"TransformJobStatus": "Stopping"}, "not at its end"),
        ({"TransformJobStatus": None}, "not at its end"),
        ({"TransformOutput": {"S3OutputPath": "s3://bucket/jobs/other/d/"}}, "job 'other'"),
    ],
)
def test_what_asks_for_nothing(change, why):
    with pytest.raises(NotOursError, match=why):
        transform_end({**DETAIL, **change})


def test_a_second_transform_job_is_told_from_a_job_called_so():
    second = {**DETAIL, "TransformJobName": "faceveil-talk-1-refine"}
    end = transform_end(second)
    assert (end.job_id, end.is_refine) == ("talk-1", True)
    output = {"TransformOutput": {"S3OutputPath": "s3://bucket/detections/talk-1-refine/"}}
    end = transform_end({**second, **output})
    assert (end.job_id, end.is_refine) == ("talk-1-refine", False)
    assert not transform_end(DETAIL).is_refine


def test_jobs_of_other_deployments_ask_for_nothing():
    """Names of deployments may begin alike, and ids may hold hyphens."""
    own = {**DETAIL, "TransformJobName": "news--talk-1"}
    assert transform_end(own, "news").job_id == "talk-1"
    for name, deployment in (
        ("news--talk-1", None),
        ("faceveil-talk-1", "news"),
        ("news-talk-1", "news"),
        ("news--talk-1", "news-talk"),
        ("news-x--talk-1", "news"),
    ):
        with pytest.raises(NotOursError, match="none of this deployment's"):
            transform_end({**DETAIL, "TransformJobName": name}, deployment)


SUBMITTED = {"version": 1, "job_id": "talk-2", "bucket": "media", "transform_job": None}


def test_a_job_over_detections_that_exist_is_as_after_its_transform():
    end = reuse(SUBMITTED, "media")
    assert (end.job_id, end.is_whole, end.is_reuse, end.seconds) == ("talk-2", True, True, None)
    for change, why in (
        ({"transform_job": "faceveil-talk-2"}, "waits for its transform job"),
        ({"bucket": "other"}, "none of this deployment's"),
        ({"job_id": "a/../b"}, "none of this deployment's"),
    ):
        with pytest.raises(NotOursError, match=why):
            reuse({**SUBMITTED, **change}, "media")
    with pytest.raises(NotOursError, match="waits for its transform job"):
        reuse({"job_id": "talk-2", "bucket": "media"}, "media")


def test_the_end_of_an_array_job():
    end = batch_end({**BATCH, "arrayProperties": {"size": 4}})
    assert (end.job_id, end.digest, end.succeeded) == ("talk-1", "0123456789abcdef", True)
    failed = batch_end({**BATCH, "status": "FAILED", "statusReason": "Host EC2 terminated"})
    assert (failed.succeeded, failed.reason) == (False, "Host EC2 terminated")
    for change, why in (
        ({"arrayProperties": {"size": 4, "index": 3}}, "one child"),
        ({"status": "RUNNING"}, "not at its end"),
        ({"jobName": "faceveil-talk-1"}, "none of"),
    ):
        with pytest.raises(NotOursError, match=why):
            batch_end({**BATCH, **change})


@pytest.mark.parametrize(
    "text", ["2026-11-20T10:00:00Z", "2026-11-20T11:00:00+01:00", 1795168800000]
)
def test_times_of_both_forms(text):
    assert moment(text) == datetime(2026, 11, 20, 10, tzinfo=UTC)


@pytest.mark.parametrize("text", [None, "", "soon", True, float("inf"), 1e30, [1]])
def test_what_is_no_time_is_none(text):
    assert moment(text) is None
