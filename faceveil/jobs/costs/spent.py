"""What a job has cost so far, computed from how far it is and what its instances have run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faceveil.jobs.costs.job_costs import Load, postprocessing, requests, run_cost
from faceveil.jobs.costs.prices import Prices
from faceveil.jobs.status import Status

if TYPE_CHECKING:
    from faceveil.jobs.transforms.watch import Transform

USUAL_SIZE = 1920, 1080
"""Width and height assumed for the cost of post-processing: job.json does not hold them."""


def dollars_so_far(prices: Prices, status: Status, transform: Transform | None) -> float | None:
    """Return dollars: instances by the time they have run, the rest by the share that is done.

    None where the transform job, or the price of its instances, is not known.
    """
    if transform is None or transform.instance_type not in prices.transform:
        return None
    hourly = prices.transform[transform.instance_type]
    load = Load(status.frames, *USUAL_SIZE)
    rendered = status.chunks_rendered / status.chunks if status.chunks else 0.0
    detected = (status.frames_detected or 0) / max(status.frames, 1)
    return (
        run_cost(transform.seconds, transform.instance_count, hourly)
        + postprocessing(prices, load)[1] * rendered
        + requests(prices, load) * detected
    )
