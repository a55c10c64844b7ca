"""The function that runs when an AWS Batch job has changed its state.

The last child of an array job finishes the job; this function finishes what a child could not, and
marks the job failed where chunks are missing.
"""

from __future__ import annotations

from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent, event_source
from aws_lambda_powertools.utilities.typing import LambdaContext

from faceveil.jobs import state_machine
from faceveil.jobs.settings import Settings
from faceveil.jobs.state_changes import NotOursError, batch_end
from postprocess_lambda.function import Answer, budget_of, ignored, logger, metrics, work


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
@event_source(data_class=EventBridgeEvent)
def handler(event: EventBridgeEvent, context: LambdaContext) -> Answer:
    """Lambda's entrypoint. The same event may come several times."""
    try:
        end = batch_end(event.detail)
    except NotOursError as error:
        return ignored(error)
    return work(
        end.job_id,
        "finish",
        context.aws_request_id,
        lambda run: state_machine.on_array_job_ended(
            run, end, budget_of(context), Settings.of().batch()
        ),
    )
