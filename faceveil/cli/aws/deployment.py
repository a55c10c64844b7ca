"""Where the deployment is: options before the environment before Terraform's outputs."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceveil.cli import parsing
from faceveil.errors import InputError, UsageError

if TYPE_CHECKING:
    from faceveil.jobs.client import JobClient
    from faceveil.jobs.job import Job

FRAMES = "frames/"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def add_deployment(parser: argparse.ArgumentParser) -> None:
    """The options that name the deployment."""
    group = parser.add_argument_group("the deployment")
    group.add_argument("--bucket", help="default: of --outputs, or $FACEVEIL_BUCKET")
    group.add_argument(
        "--outputs", type=parsing.path, metavar="JSON", help="what `terraform output -json` printed"
    )


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """`--dry-run`."""
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would happen; change nothing"
    )


def read_outputs(path: Path | None) -> Mapping[str, Any]:
    """The module's outputs by name, from `terraform output -json`; none without a file.

    A root module may pass them on one by one or, as the examples do, as one object.

    Raises
    ------
    InputError
        The file cannot be read, or is not what Terraform prints.
    """
    if path is None:
        return {}
    try:
        document = json.loads(path.read_bytes())
        outputs = {name: output["value"] for name, output in document.items()}
        nested = next(iter(outputs.values())) if len(outputs) == 1 else None
        return nested if isinstance(nested, dict) and "bucket" in nested else outputs
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: is not what `terraform output -json` prints: write it with "
            "`terraform output -json > outputs.json`"
        ) from error


def client_of(options: argparse.Namespace) -> JobClient:
    """The jobs of the deployment's bucket. Raises UsageError when no bucket is named."""
    from faceveil.jobs.client import JobClient
    from faceveil.jobs.settings import read_input_buckets

    outputs = read_outputs(options.outputs)
    bucket = options.bucket or os.environ.get("FACEVEIL_BUCKET") or outputs.get("bucket")
    if not bucket:
        raise UsageError("no bucket named: give --bucket or --outputs, or set FACEVEIL_BUCKET")
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(
            f"{bucket!r} is not the name of a bucket: give the name alone, as in my-bucket"
        )
    return JobClient(
        bucket,
        bucket_owner=os.environ.get("FACEVEIL_BUCKET_OWNER") or None,
        input_buckets=outputs.get("input_buckets") or read_input_buckets(),
    )


def instances_of(options: argparse.Namespace) -> dict[str, Any]:
    """`transform` or `processing` of job.json: the instances that options or environment name."""
    count = os.environ.get("FACEVEIL_INSTANCE_COUNT") or None
    if count is not None and (not count.isdecimal() or not int(count)):
        raise UsageError(f"FACEVEIL_INSTANCE_COUNT={count!r}: must be a whole number from 1 on")
    asked = {
        "instance_type": options.instance_type or os.environ.get("FACEVEIL_INSTANCE_TYPE"),
        "instance_count": options.instance_count or (int(count) if count else None),
    }
    return {name: value for name, value in asked.items() if value}


def checked_id(job_id: str) -> str:
    """Return the id of a job. Raises InputError for one that no job can have."""
    from faceveil.jobs.job import read_job

    bare = {"version": 1, "id": job_id, "frames": {"prefix": FRAMES}}
    return read_job(json.dumps(bare).encode(), f"job {job_id!r}").id


def own_frames(job_id: str) -> str:
    """`frames/<id>/`: beside the jobs, since S3 expires what lies under one prefix."""
    return f"{FRAMES}{job_id}/"


def jobs_of(client: JobClient) -> list[str]:
    """The ids of all jobs of the bucket, one request per 1,000. Raises InputError."""
    from faceveil.jobs.ended import job_ids

    return job_ids(client.bucket)


def uses(job: Job, prefix: str) -> bool:
    """Whether a job reads what lies under a prefix."""
    return prefix in (job.frames_prefix, job.detections_prefix)
