"""What a job has cost so far, computed from how far it is and what its instances have run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faceveil.aws.sagemaker import PROCESSING
from faceveil.jobs.costs.job_costs import Load, postprocessing, requests, run_cost
from faceveil.jobs.costs.prices import Prices
from faceveil.jobs.status import Status

if TYPE_CHECKING:
    from faceveil.jobs.transforms.watch import Described

USUAL_SIZE = 1920, 1080
"""Width and height assumed for the cost of post-processing: job.json does not hold them."""


def dollars_so_far(prices: Prices, status: Status, machines: Described | None) -> float | None:
    """Return dollars: instances by the time they have run, the rest by the share that is done.

    None where the SageMaker job, or the price of its instances, is not known. An instance costs the
    same for transform and Processing jobs; the latter render, too.
    """
    if machines is None or machines.instance_type not in prices.transform:
        return None
    hourly = prices.transform[machines.instance_type]
    load = Load(status.frames, *USUAL_SIZE)
    rendered = status.chunks_rendered / status.chunks if status.chunks else 0.0
    detected = (status.frames_detected or 0) / max(status.frames, 1)
    after = 0.0 if machines.kind == PROCESSING else postprocessing(prices, load)[1]
    return (
        run_cost(machines.seconds, machines.instance_count, hourly)
        + after * rendered
        + requests(prices, load) * detected
    )
