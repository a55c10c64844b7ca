"""The function that S3 calls when jobs/<id>/job.json was written: it starts the job."""

from __future__ import annotations

import re

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes import S3Event, event_source
from aws_lambda_powertools.utilities.typing import LambdaContext

from faceveil.aws.clients import sagemaker_client
from faceveil.errors import FaceveilError
from faceveil.jobs.job_folder import UnknownJobError
from faceveil.jobs.settings import Settings
from faceveil.jobs.state_changes import NotOursError
from faceveil.jobs.submission import Submission, start_job
from faceveil.jobs.transforms.request import Machines
from postprocess_lambda.function import Answer, ignored, logger, metrics

_JOB_KEY = re.compile(r"jobs/([^/]+)/job\.json")


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
@event_source(data_class=S3Event)
def handler(event: S3Event, context: LambdaContext) -> Answer:
    """Lambda's entrypoint, for "ObjectCreated", one object in each notification. The same one may
    come several times.

    An error of faceveil is final and answered; any other is raised, so that Lambda tries again.
    """
    settings = Settings.of()
    bucket, key = event.bucket_name, event.object_key
    match = _JOB_KEY.fullmatch(key)
    if match is None or bucket != settings.bucket:
        return ignored(NotOursError(f"s3://{bucket}/{key} is no job.json of this deployment"))
    job_id = match[1]
    logger.append_keys(job_id=job_id)
    try:
        submission = Submission(
            bucket=settings.open_bucket(),
            machines=Machines.from_environment(),
            sagemaker=sagemaker_client,
            announce=settings.announce(),
            input_buckets=settings.input_buckets,
        )
        outcome = start_job(submission, job_id)
    except UnknownJobError as error:
        return ignored(error)
    except FaceveilError as error:
        logger.error("job %s cannot be started: %s", job_id, error)
        metrics.add_metric("JobsFailed", MetricUnit.Count, 1)
        reason = {"error": type(error).__name__, "reason": str(error)}
        return {"job_id": job_id, "outcome": "failed", **reason}
    logger.info("job %s: %s", job_id, outcome)
    if outcome == "submitted":
        metrics.add_metric("JobsSubmitted", MetricUnit.Count, 1)
    return {"job_id": job_id, "outcome": outcome}
