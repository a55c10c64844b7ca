"""A burst: 200 jobs within a minute, ten functions at once, every event twice, and none is lost.

Real: S3 (SeaweedFS), and all steps of the functions, in threads. Simulated: SageMaker (LocalCloud),
its transform jobs (answers are copied), and the queue in front of the functions.
"""

import json
import random
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from faceveil.jobs import state_machine
from faceveil.jobs.chunks.budget import MIB, Budget
from faceveil.jobs.ended import open_jobs
from faceveil.jobs.job import read_job
from faceveil.jobs.state_changes import transform_end
from faceveil.jobs.submission import Submission, start_job
from faceveil.jobs.transforms.request import Machines
from testkit import PROJECT
from testkit.made_job import faces_at, write_frames
from testkit.servers.local_cloud import LocalCloud

JOBS, AT_ONCE, FRAMES = 200, 10, 2
FUNCTION_SECONDS = 900
ROOMY = Budget(lambda: 900.0, 4096 * MIB, 4096 * MIB)


def test_events_of_a_burst_are_kept_until_their_turn():
    """Were each of the functions to take its whole time, the last event would still be young."""
    settings = (PROJECT / "terraform" / "functions.tf").read_text()
    (age,) = re.findall(r"maximum_event_age_in_seconds = (\d+)", settings)
    assert JOBS / AT_ONCE * FUNCTION_SECONDS < int(age) == 21600


@pytest.mark.slow
def test_200_jobs_at_once_all_complete_once(made, connect):
    for path in sorted(write_frames(made.folder / "frames", FRAMES).iterdir()):
        made.bucket.write(f"frames/burst/{path.name}", path.read_bytes())
    ids = [f"burst-{number:03d}" for number in range(JOBS)]
    fields = {"version": 1, "frames": {"prefix": "frames/burst/", "rate": 25}}
    documents = {
        job_id: json.dumps({**fields, "id": job_id, "verification": "off"}).encode()
        for job_id in ids
    }
    with LocalCloud() as cloud, ThreadPoolExecutor(AT_ONCE) as functions:
        sagemaker = connect("sagemaker", cloud.url)
        submission = Submission(
            made.bucket, Machines("faceveil"), lambda: sagemaker, made.events.append
        )

        def transform(request):
            """As SageMaker: an answer to each frame, then the event."""
            output = request["TransformOutput"]["S3OutputPath"]
            place = made.bucket.folder(output.removeprefix(f"s3://{made.bucket.bucket}/"))
            for number in range(FRAMES):
                place.write(f"img{number + 1:07d}.png.out", faces_at(number).to_json())
            return {**request, "TransformJobStatus": "Completed"}

        def post_process(delivery):
            owner, detail = delivery
            end = transform_end(detail)
            key = f"jobs/{end.job_id}/job.json"
            template = replace(made.run(), job=read_job(documents[end.job_id], key))
            return state_machine.on_transform_ended(
                replace(template, owner=str(owner)), end, ROOMY, None
            )

        made.place.write("job.json", json.dumps({**fields, "id": "talk"}).encode())
        list(functions.map(lambda i: made.bucket.write(f"jobs/{i}/job.json", documents[i]), ids))
        deliveries = ids * 2
        random.Random(0).shuffle(deliveries)
        submitted = list(functions.map(lambda i: start_job(submission, i), deliveries))
        assert set(submitted) == {"submitted", "already submitted"}
        requests = [cloud.happened.get_nowait()[1] for _ in range(cloud.happened.qsize())]
        assert sorted(request["TransformJobName"] for request in requests) == [
            f"faceveil-{job_id}" for job_id in ids
        ]
        ends = list(functions.map(transform, requests)) * 2
        random.Random(1).shuffle(ends)
        outcomes = list(functions.map(post_process, enumerate(ends)))
    assert set(outcomes) <= {"completed", "elsewhere"}
    assert open_jobs(made.bucket) == ["talk"]
    completed = [e for e in made.events if e.detail_type == "FaceVeil Job Completed"]
    assert {event.detail["job_id"] for event in completed} == set(ids)
    for job_id in ids:
        assert made.bucket.find(f"jobs/{job_id}/_SUCCESS") is not None
        assert made.bucket.find(f"jobs/{job_id}/error.json") is None
