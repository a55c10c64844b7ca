"""A job whose detections take longer to read than a function may run is analysed in AWS Batch.

Real: S3 (SeaweedFS). Simulated: Batch's control plane (LocalCloud); its containers are calls.
"""

from dataclasses import dataclass
from itertools import count

import pytest

from faceveil.errors import InputError
from faceveil.jobs import state_machine
from faceveil.jobs.chunks.batch_queue import BatchQueue
from faceveil.jobs.chunks.budget import ANSWERS_PER_SECOND, MIB, SPARE, Budget
from faceveil.jobs.state_changes import TransformEnd, batch_end
from faceveil.jobs.status import read_status
from testkit.made_job import FRAMES
from testkit.servers.local_cloud import LocalCloud, batch_ended

ENDED = TransformEnd("talk", "Completed", "", None)


def seconds_for(frames):
    """A function with time for the detections of so many frames, but not for rendering."""
    return Budget(lambda: frames / ANSWERS_PER_SECOND / SPARE, 512 * MIB, 4096 * MIB)


@pytest.fixture
def cloud():
    with LocalCloud() as cloud:
        yield cloud


@pytest.fixture
def queue(cloud, connect):
    return BatchQueue(connect("batch", cloud.url), "queue", "definition")


def test_the_analysis_goes_to_batch_and_its_end_has_the_chunks_rendered(uploaded, cloud, queue):
    small = seconds_for(FRAMES - 1)
    run = uploaded.run()
    assert state_machine.on_transform_ended(run, ENDED, small, queue) == "analysing"
    assert state_machine.on_transform_ended(run, ENDED, small, queue) == "analysing"
    operation, request = cloud.happened.get_nowait()
    assert operation == "SubmitJob"
    assert request["containerOverrides"]["command"][0] == "analyse"
    assert cloud.happened.empty()  # the event that came twice submitted nothing
    assert read_status(uploaded.bucket, "talk").state == "analysing"
    assert state_machine.analyse_here(uploaded.run("container")) == "analysing"
    end = batch_end(batch_ended(request, True)["detail"])
    assert state_machine.on_array_job_ended(run, end, small, queue) == "rendering"
    _, request = cloud.happened.get_nowait()
    assert request["containerOverrides"]["command"][0] == "chunk"
    outcomes = [state_machine.render_one_chunk(uploaded.run(f"child:{n}"), n) for n in range(2)]
    assert outcomes == ["rendering", "completed"]
    assert uploaded.objects("veiled/") == uploaded.rendered_here()


def test_what_fits_is_analysed_by_the_function(uploaded, cloud, queue):
    enough = seconds_for(FRAMES + 1)
    assert state_machine.on_transform_ended(uploaded.run(), ENDED, enough, queue) == "rendering"
    _, request = cloud.happened.get_nowait()
    assert request["containerOverrides"]["command"][0] == "chunk"


def test_an_analysis_that_was_killed_fails_the_job(uploaded, cloud, queue):
    small = seconds_for(1)
    state_machine.on_transform_ended(uploaded.run(), ENDED, small, queue)
    _, request = cloud.happened.get_nowait()
    end = batch_end(batch_ended(request, False)["detail"])
    with pytest.raises(InputError, match="analysis in AWS Batch ended without a message"):
        state_machine.on_array_job_ended(uploaded.run(), end, small, queue)
    assert read_status(uploaded.bucket, "talk").failure.stage == "analyse"
    assert state_machine.on_array_job_ended(uploaded.run(), end, small, queue) == "failed"


def test_counting_frames_stops_where_the_answer_is_known(uploaded):
    """A job of days costs no more listings than its function has time for."""
    pages = count()

    @dataclass(frozen=True)
    class Pages:
        bucket: str = "frames"
        prefix: str = ""

        def pages(self):
            while True:
                next(pages)
                yield [None] * 1000

    class Run:
        bucket = Pages()
        job = uploaded.run().job

    assert not seconds_for(5500).has_time_to_analyse(Run())
    assert next(pages) == 6
