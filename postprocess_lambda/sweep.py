"""The function that runs every few hours: jobs idle for 24 hours are marked failed."""

from __future__ import annotations

from datetime import UTC, datetime

from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent, event_source
from aws_lambda_powertools.utilities.typing import LambdaContext

from faceveil.aws.clients import sagemaker_client
from faceveil.jobs.settings import Settings
from faceveil.jobs.sweep import sweep
from postprocess_lambda.function import Answer, count, logger, metrics


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
@event_source(data_class=EventBridgeEvent)
def handler(event: EventBridgeEvent, context: LambdaContext) -> Answer:
    """Lambda's entrypoint, for a schedule."""
    settings = Settings.of()
    stuck = sweep(settings.open_bucket(), sagemaker_client, settings.announce(), datetime.now(UTC))
    for job_id in stuck:
        logger.error("job %s has failed: it was idle for 24 hours", job_id)
        count("JobsFailed")
    return {"outcome": "swept", "failed": stuck}
