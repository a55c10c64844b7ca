"""The function that runs when a SageMaker transform or Processing job has changed its state, and
when a job was submitted that uses the detections of another.

After a transform job the detections are analysed, and the frames rendered here where that fits well
into the time left, else by an AWS Batch array job. A Processing job has done both; its results are
brought together.
"""

from __future__ import annotations

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent, event_source
from aws_lambda_powertools.utilities.typing import LambdaContext

from faceveil.aws.clients import sagemaker_client
from faceveil.jobs import state_machine
from faceveil.jobs.events import SUBMITTED
from faceveil.jobs.processing.create import Processing
from faceveil.jobs.processing.ended import on_processing_ended
from faceveil.jobs.processing.request import ProcessingMachines
from faceveil.jobs.settings import Settings
from faceveil.jobs.state_changes import (
    PROCESSING_CHANGE,
    NotOursError,
    TransformEnd,
    processing_end,
    reuse,
    transform_end,
)
from faceveil.jobs.transforms.refine import SecondPass
from faceveil.jobs.transforms.request import Machines
from postprocess_lambda.function import Answer, budget_of, ignored, logger, metrics, work

PROCESSING = Processing(ProcessingMachines.from_environment, sagemaker_client)
SECOND_PASS = SecondPass(Machines.from_environment, sagemaker_client)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
@event_source(data_class=EventBridgeEvent)
def handler(event: EventBridgeEvent, context: LambdaContext) -> Answer:
    """Lambda's entrypoint. The same event may come several times."""
    if event.detail_type == PROCESSING_CHANGE:
        return _after_processing(event, context)
    try:
        ended = _ended(event)
    except NotOursError as error:
        return ignored(error)
    if ended.seconds is not None:
        metrics.add_metric("TransformSeconds", MetricUnit.Seconds, ended.seconds)
    return work(
        ended.job_id,
        "analyse",
        context.aws_request_id,
        lambda run: state_machine.on_transform_ended(
            run, ended, budget_of(context), Settings.of().batch(), SECOND_PASS
        ),
    )


def _after_processing(event: EventBridgeEvent, context: LambdaContext) -> Answer:
    try:
        ended = processing_end(event.detail, Settings.of().deployment)
    except NotOursError as error:
        return ignored(error)
    if ended.seconds is not None:
        metrics.add_metric("ProcessingSeconds", MetricUnit.Seconds, ended.seconds)
    return work(
        ended.job_id,
        ended.which,
        context.aws_request_id,
        lambda run: on_processing_ended(
            run, ended, budget_of(context), Settings.of().batch(), PROCESSING
        ),
    )


def _ended(event: EventBridgeEvent) -> TransformEnd:
    settings = Settings.of()
    if event.detail_type == SUBMITTED:
        return reuse(event.detail, settings.bucket)
    return transform_end(event.detail, settings.deployment)
