"""Which parameter holds, and what SageMaker would refuse."""

import pytest

from faceveil.errors import FaceveilError, UsageError
from faceveil.local_transform.parameters import Parameters, TransformJob, settle

OFFER = b'{"MaxConcurrentTransforms": 8, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 10}'


def job(**changes):
    return TransformJob("job", "in", "out", **changes)


def test_the_job_comes_before_the_container_before_sagemakers_default():
    assert settle(job(), None) == Parameters(1, 6, "MULTI_RECORD")
    assert settle(job(), b"{}") == Parameters(1, 6, "MULTI_RECORD")
    assert settle(job(), OFFER) == Parameters(8, 10, "SINGLE_RECORD")
    own = job(max_concurrent=2, max_payload_mb=0, batch_strategy="MultiRecord")
    assert settle(own, OFFER) == Parameters(2, 0, "MULTI_RECORD")


@pytest.mark.parametrize("given", [{"max_concurrent": 11}, {"max_payload_mb": 13}])
def test_requests_times_payload_is_at_most_100_mb(given):
    with pytest.raises(UsageError, match="more than 100 MB"):
        settle(job(**given), OFFER)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"8",
        b'{"MaxConcurrentTransforms": 0}',
        b'{"MaxConcurrentTransforms": "8"}',
        b'{"MaxPayloadInMB": 101}',
        b'{"BatchStrategy": "SingleRecord"}',
    ],
)
def test_a_senseless_answer_is_shown(answer):
    with pytest.raises(FaceveilError, match="/execution-parameters"):
        settle(job(), answer)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "ends-with-hyphen-"},
        {"name": "under_score"},
        {"name": "x" * 64},
        {"max_concurrent": 0},
        {"max_payload_mb": 101},
        {"max_payload_mb": -1},
        {"timeout_seconds": 0},
        {"timeout_seconds": 3601},
        {"max_retries": 4},
        {"batch_strategy": "SINGLE_RECORD"},
    ],
)
def test_what_sagemaker_refuses_is_refused(changes):
    with pytest.raises(UsageError):
        TransformJob(**{"name": "job", "input": "in", "output": "out", **changes})


def test_the_container_is_told_only_what_the_job_says():
    """As documented: the last three variables are not set where the job has no value."""
    assert job().container_environment() == {"SAGEMAKER_BATCH": "true"}
    own = job(
        max_concurrent=2,
        max_payload_mb=20,
        batch_strategy="SingleRecord",
        environment={"FACEVEIL_DETECTOR": "mtcnn"},
    )
    assert own.container_environment() == {
        "FACEVEIL_DETECTOR": "mtcnn",
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "2",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "20",
    }
