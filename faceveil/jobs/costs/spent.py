"""What a job has cost so far, computed from how far it is and what its instances have run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from faceveil.aws.sagemaker import PROCESSING
from faceveil.jobs.costs.job_costs import Load, postprocessing, requests, run_cost
from faceveil.jobs.costs.prices import Prices
from faceveil.jobs.status import Status

if TYPE_CHECKING:
    from faceveil.jobs.transforms.watch import Described

USUAL_SIZE = 1920, 1080
"""Width and height assumed for the cost of post-processing: job.json does not hold them."""


def dollars_so_far(prices: Prices, status: Status, machines: Sequence[Described]) -> float | None:
    """Return dollars: instances by the time they have run, the rest by the share that is done.

    machines: the SageMaker jobs, every attempt on its own machines. None without any, or where the
    price of one is not known. An instance costs the same for transform and Processing jobs; the
    latter render, too.
    """
    if not machines or any(used.instance_type not in prices.transform for used in machines):
        return None
    load = Load(status.frames, *USUAL_SIZE)
    rendered = status.chunks_rendered / status.chunks if status.chunks else 0.0
    detected = (status.frames_detected or 0) / max(status.frames, 1)
    after = 0.0 if machines[-1].kind == PROCESSING else postprocessing(prices, load)[1]
    instances = sum(
        run_cost(used.seconds, used.instance_count, prices.transform[used.instance_type])
        for used in machines
    )
    return instances + after * rendered + requests(prices, load) * detected
