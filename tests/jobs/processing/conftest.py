"""Fixtures of the tests of Processing jobs: jobs submitted by the command, and hosts run here."""

import json

import pytest

from faceveil.aws.s3 import S3Location
from faceveil.jobs.chunks.budget import MIB, Budget
from faceveil.jobs.job_folder import load_job
from faceveil.jobs.job_run import JobRun
from faceveil.jobs.processing.create import Processing
from faceveil.jobs.processing.ended import on_processing_ended
from faceveil.jobs.processing.request import ProcessingMachines
from faceveil.jobs.settings import analyzer_of
from faceveil.jobs.state_changes import processing_end
from faceveil.jobs.submission import Submission, start_job
from faceveil.jobs.transforms.request import Machines
from testkit.servers.local_cloud import LocalCloud
from testkit.servers.processing import LocalProcessing

MACHINES = ProcessingMachines("image", "arn:aws:iam::123456789012:role/faceveil-processing")
ROOMY = Budget(lambda: 900.0, 4096 * MIB, 4096 * MIB)


class Deployment:
    """The functions of a deployment, called in turn, with LocalCloud and LocalProcessing."""

    def __init__(self, bucket, cloud, sagemaker, folder):
        self.bucket = bucket
        self.cloud = cloud
        self.folder = folder
        self.events = []
        self.machines = MACHINES
        self.sagemaker = lambda: sagemaker
        self.hosts = LocalProcessing(bucket, folder / "hosts")
        self.requests = []

    @property
    def submission(self):
        return Submission(
            self.bucket,
            Machines("model"),
            self.sagemaker,
            self.events.append,
            lambda: self.machines,
        )

    @property
    def processing(self):
        return Processing(lambda: self.machines, self.sagemaker)

    def start(self, job_id="talk"):
        """As the submit function, when S3 tells it of job.json."""
        return start_job(self.submission, job_id)

    def created(self):
        """The Processing jobs that were created since this was last asked."""
        calls = [self.cloud.happened.get_nowait() for _ in range(self.cloud.happened.qsize())]
        made = [request for name, request in calls if name == "CreateProcessingJob"]
        self.requests += made
        return made

    def end(self, detail, job_id="talk"):
        """As the post-processing function, when SageMaker tells it of an end."""
        self.cloud.states[detail["ProcessingJobName"]] = detail["ProcessingJobStatus"]
        job = load_job(self.bucket, job_id)
        run = JobRun(
            bucket=self.bucket,
            job=job,
            announce=self.events.append,
            analyzer=lambda: analyzer_of(job.networks),
            owner="tester",
            scratch=self.folder,
        )
        return on_processing_ended(run, processing_end(detail), ROOMY, None, self.processing)

    def run(self, job_id="talk"):
        """Run Processing jobs until none follows. Returns the last outcome."""
        outcome = None
        while made := self.created():
            for request in made:
                outcome = self.end(self.hosts.run(request), job_id)
        return outcome

    def objects(self, prefix):
        place = self.bucket.folder(prefix)
        names = [item.name for page in place.pages(recursive=True) for item in page]
        return {name: place.read(name) for name in names}

    def write(self, job_id="talk", **fields):
        """Write a job.json for the frames under frames/talk/."""
        job = {"version": 1, "id": job_id, "frames": {"prefix": "frames/talk/"}, **fields}
        self.bucket.write(f"jobs/{job_id}/job.json", json.dumps(job).encode())


@pytest.fixture
def deployment(bucket, s3_url, connect, tmp_path):
    """A deployment with an empty bucket."""
    place = S3Location.open(f"s3://{bucket}", s3_url)
    with LocalCloud() as cloud:
        yield Deployment(place, cloud, connect("sagemaker", cloud.url), tmp_path)
