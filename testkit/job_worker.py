"""A deployment in a thread: it does each job over existing detections whose job.json appears."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faceveil.aws.s3 import S3Location
from faceveil.errors import FaceveilError
from faceveil.jobs import state_machine
from faceveil.jobs.job_folder import load_job
from faceveil.jobs.job_run import JobRun
from testkit.made_job import NoFaces


@contextmanager
def working(
    bucket: S3Location, scratch: Path, analyzer: Callable[[], Any] = NoFaces
) -> Iterator[list[str]]:
    """Work on every new job of a bucket. Yields the ids of those that were done.

    Parameters
    ----------
    bucket
        The whole bucket.
    scratch
        A folder for temporary files.
    analyzer
        Opens the networks that verify.
    """
    done: list[str] = []
    stopped = threading.Event()
    known = set(_jobs(bucket))

    def work() -> None:
        while not stopped.wait(0.1):
            for job_id in _jobs(bucket):
                if job_id not in known:
                    known.add(job_id)
                    run = JobRun(
                        bucket, load_job(bucket, job_id), print, analyzer, "worker", scratch
                    )
                    try:
                        state_machine.run_whole_job(run)
                    except FaceveilError as error:
                        print(f"{job_id}: {error}")  # noted in its error.json as well
                    done.append(job_id)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        yield done
    finally:
        stopped.set()
        worker.join()


def _jobs(bucket: S3Location) -> list[str]:
    pages = bucket.folder("jobs/").pages(recursive=True)
    names = (item.name for page in pages for item in page)
    return sorted(name.split("/")[0] for name in names if name.endswith("/job.json"))
