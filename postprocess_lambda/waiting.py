"""The function that runs every few minutes: jobs that wait for machines are tried again."""

from __future__ import annotations

from datetime import UTC, datetime

from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent, event_source
from aws_lambda_powertools.utilities.typing import LambdaContext

from faceveil.aws.clients import sagemaker_client
from faceveil.jobs.processing.create import Processing
from faceveil.jobs.processing.ended import start_waiting_render
from faceveil.jobs.settings import Settings
from faceveil.jobs.state_machine import start_waiting_refine
from faceveil.jobs.submission import Submission, start_waiting
from faceveil.jobs.transforms.names import Pass
from faceveil.jobs.transforms.refine import SecondPass
from faceveil.jobs.transforms.request import Machines
from faceveil.jobs.waiting import retry_waiting
from postprocess_lambda.function import Answer, logger, metrics


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
@event_source(data_class=EventBridgeEvent)
def handler(event: EventBridgeEvent, context: LambdaContext) -> Answer:
    """Lambda's entrypoint, for a schedule."""
    settings = Settings.of()
    bucket = settings.open_bucket()
    announce = settings.announce()
    machines = Machines.from_environment()
    submission = Submission(
        bucket, machines, sagemaker_client, announce, input_buckets=settings.input_buckets
    )

    def retry(job_id: str, which: Pass) -> None:
        if which == "detect":
            start_waiting(submission, job_id)
            return
        run = settings.run(job_id, context.aws_request_id)
        if which == "refine":
            start_waiting_refine(run, SecondPass(lambda: machines, sagemaker_client))
        else:
            start_waiting_render(run, Processing(submission.processing, sagemaker_client))

    started = retry_waiting(bucket, retry, announce, datetime.now(UTC))
    return {"outcome": "retried", "started": started}
