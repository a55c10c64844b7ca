"""AWS Batch: the chunks of a job as the children of an array job."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from faceveil.aws.batch import submit_job
from faceveil.jobs.chunks.plan import ChunkPlan
from faceveil.jobs.job_folder import CHUNKS
from faceveil.jobs.job_run import JobRun

if TYPE_CHECKING:
    from types_boto3_batch import BatchClient

CHUNKS_NOTE, FINISH_NOTE = "batch.json", "batch-finish.json"
"""In the folder of the plan: the ids of the Batch jobs that were submitted."""
ANALYSIS_NOTE = f"{CHUNKS}batch-analysis.json"
ANALYSIS_DIGEST = hashlib.sha256(b"analysis").hexdigest()[:16]
"""In place of a plan's digest in the name of the Batch job: the analysis comes before the plan."""


@dataclass(frozen=True, slots=True)
class BatchQueue:
    """Where array jobs are sent. queue, definition: names or ARNs."""

    client: BatchClient
    queue: str
    definition: str

    def submit_analysis(self, run: JobRun) -> str:
        """Submit the analysis of a job that a function has no time for. Returns its id."""
        return self._once(run, ANALYSIS_NOTE, ANALYSIS_DIGEST, "analyse", {})

    def submit_chunks(self, run: JobRun, plan: ChunkPlan) -> str:
        """Submit the chunks, unless that is done. Returns the id of the Batch job.

        After a crash between submitting and noting it, the next attempt submits again: children
        find what is done and do not repeat it. Raises OutputError when Batch does not take the job.
        """
        array = {"arrayProperties": {"size": plan.count}} if plan.count > 1 else {}
        command = "chunk" if plan.count > 1 else "run"
        return self._once(run, plan.folder + CHUNKS_NOTE, plan.digest, command, array)

    def submit_finish(self, run: JobRun, plan: ChunkPlan) -> str:
        """Submit the end of a job that takes longer than a function may run. Returns its id."""
        return self._once(run, plan.folder + FINISH_NOTE, plan.digest, "finish", {})

    def _once(
        self, run: JobRun, note: str, digest: str, command: str, options: dict[str, Any]
    ) -> str:
        if run.folder.find(note) is not None:
            return str(orjson.loads(run.folder.read(note))["batch_job"])
        words = [command, "--bucket", run.bucket.bucket, "--job", run.job.id]
        batch_job = submit_job(
            self.client,
            self.queue,
            jobName=f"faceveil-{run.job.id}-{digest}",
            jobDefinition=self.definition,
            containerOverrides={"command": words},
            tags={"faceveil:job-id": run.job.id},
            propagateTags=True,
            **options,
        )
        run.folder.write(note, orjson.dumps({"batch_job": batch_job}))
        return batch_job


def forget_batch_jobs(run: JobRun, plan: ChunkPlan) -> None:
    """Let the next attempt submit again, after a Batch job has failed."""
    run.folder.delete([plan.folder + CHUNKS_NOTE, plan.folder + FINISH_NOTE])
