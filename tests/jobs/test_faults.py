"""Whatever goes wrong, no face shows and nothing is lost: repeated, a job ends as if nothing had.

S3 is a real one (SeaweedFS); throttling and lost connections come from a proxy before it.
"""

import json
import multiprocessing
import os
import random
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from test_whole_job import types_of

from faceveil.assure.verification import Verification, Violation
from faceveil.aws import s3
from faceveil.aws.s3 import S3Location
from faceveil.errors import InputError, OutputError, VerificationError
from faceveil.jobs import state_machine
from faceveil.jobs.chunks.budget import Budget
from faceveil.jobs.failure import clear_failure
from faceveil.jobs.state_changes import BatchEnd, TransformEnd
from faceveil.jobs.steps import render
from faceveil.jobs.steps.analyse import analyse_job, load_analysed
from faceveil.jobs.steps.finish import finish_job, missing_chunks
from testkit.made_job import FIRST_WITHOUT_VEIL, FRAMES, MadeJob, faces_at
from testkit.servers.faulty_s3 import DROP, DROP_ANSWER, SLOW_DOWN, TRUNCATE, FaultyS3, fail_first

ENDED = TransformEnd("talk", "Completed", "", None)
PLENTY = Budget(lambda: 900.0, 10 << 30, 10 << 30)
KILLS = 20


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    """Waiting is left out, repeating is not."""
    monkeypatch.setattr(s3, "_PAUSE_SECONDS", 0.001)


def test_frames_whose_detections_are_broken_are_veiled(uploaded):
    place = uploaded.detections
    place.delete(["img0000003.png.out"])  # spanned by Ann
    whole = faces_at(5).to_json()
    place.write("img0000006.png.out", whole[: len(whole) // 2])
    place.write("img0000020.png.out", b"")  # nobody is there
    error = {"version": 1, "error": {"code": "unreadable", "message": "no picture"}, "faces": []}
    place.write("img0000022.png.out", json.dumps(error).encode())
    state_machine.run_whole_job(uploaded.run())
    veiled, frames = uploaded.objects("veiled/"), uploaded.objects("frames/")
    assert veiled == uploaded.rendered_here(missing=(2, 5, 19, 21))
    unveiled = [
        number for number, name in enumerate(sorted(frames)) if veiled[name] == frames[name]
    ]
    assert unveiled == [n for n in range(FIRST_WITHOUT_VEIL, FRAMES) if n not in (19, 21)]
    analysed = [event for event in uploaded.events if "Analysed" in event.detail_type]
    assert analysed[0].detail["unknown_frames"] == 4


def test_without_any_detections_nothing_is_rendered(uploaded):
    uploaded.detections.delete(list(uploaded.detected()))
    with pytest.raises(InputError, match="none of the 24 frames has detections"):
        state_machine.run_whole_job(uploaded.run())
    assert uploaded.objects("veiled/") == {}
    assert types_of(uploaded.events) == ["Failed"]


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_transform_that_failed_is_refused_or_its_rest_veiled_as_the_job_says(made, status):
    made.upload()
    made.detections.delete([f"img{number:07d}.png.out" for number in range(13, 25)])
    ended = TransformEnd("talk", status, "AlgorithmError", None)
    with pytest.raises(InputError, match="AlgorithmError"):
        state_machine.on_transform_ended(made.run(), ended, PLENTY, None)
    assert made.events[-1].detail["stage"] == "detect"
    assert made.objects("veiled/") == {}
    clear_failure(made.bucket, "talk")
    made.submit(on_failure="veil_unknown")
    assert state_machine.on_transform_ended(made.run(), ended, PLENTY, None) == "completed"
    assert made.objects("veiled/") == made.rendered_here(missing=range(12, 24))


@pytest.mark.parametrize("lost", [2, 20], ids=["with a veil", "without one"])
def test_a_frame_deleted_after_the_analysis_is_named_and_nothing_else_is_lost(made, lost):
    made.upload()
    run, name = made.run(), f"frames/img{lost + 1:07d}.png"
    analysed = analyse_job(run)
    content = made.place.read(name)
    made.place.delete([name])
    with pytest.raises(
        InputError, match=f"1 frames could not be rendered.*has no frame {lost + 1}"
    ):
        state_machine.run_whole_job(run)
    assert "_SUCCESS" not in made.results()
    # put back and started again, that chunk is rendered anew
    made.place.write(name, content)
    clear_failure(made.bucket, "talk")
    assert analyse_job(run).plan == analysed.plan
    assert state_machine.run_whole_job(run) == "completed"
    assert made.objects("veiled/") == made.rendered_here()


def test_a_lost_frame_is_left_out_and_reported_where_the_job_says_so(made):
    made.upload(on_failure="veil_unknown")
    analyse_job(made.run())
    made.place.delete(["frames/img0000003.png"])
    assert state_machine.run_whole_job(made.run()) == "completed"
    here = made.rendered_here()
    del here["img0000003.png"]
    assert made.objects("veiled/") == here
    (problem,) = json.loads(made.place.read("report.json"))["problems"]
    assert "frame 2" in problem["where"]


@pytest.mark.parametrize("fault", [SLOW_DOWN, DROP, DROP_ANSWER, TRUNCATE])
def test_throttling_and_lost_connections_change_nothing(uploaded, s3_url, fault):
    state_machine.run_whole_job(uploaded.run())
    expected = uploaded.results()
    uploaded.place.delete(list(expected))
    operations = ("GET",) if fault == TRUNCATE else ("GET", "PUT", "COPY", "LIST")
    rule = fail_first(fault, 1, operations, key=r"img0000001|analysis|claims")
    with FaultyS3(s3_url, rule) as proxy:
        bucket = S3Location.open(f"s3://{uploaded.bucket.bucket}", proxy.url)
        state_machine.run_whole_job(uploaded.run(bucket=bucket))
    assert uploaded.results() == expected


def test_frames_without_veils_are_not_downloaded(made, s3_url):
    made.upload(verification="off")
    downloads = set()

    def watch(request):
        if request.operation == "GET" and "/frames/" in request.key:
            downloads.add(int(request.key[-11:-4]) - 1)

    with FaultyS3(s3_url, watch) as proxy:
        bucket = S3Location.open(f"s3://{made.bucket.bucket}", proxy.url)
        state_machine.run_whole_job(made.run(bucket=bucket))
        assert proxy.requests["COPY"] == FRAMES - FIRST_WITHOUT_VEIL
    assert downloads == set(range(FIRST_WITHOUT_VEIL))


def test_two_deliveries_at_the_same_moment_are_one_job(uploaded):
    runs = [uploaded.run(f"invocation-{n}") for n in range(4)]
    with ThreadPoolExecutor(len(runs)) as pool:
        outcomes = list(
            pool.map(lambda run: state_machine.on_transform_ended(run, ENDED, PLENTY, None), runs)
        )
    assert sorted(set(outcomes)) in (["completed", "elsewhere"], ["completed"])
    assert types_of(uploaded.events) == ["Analysed", "Completed"]
    before = uploaded.objects()
    assert (
        state_machine.on_transform_ended(uploaded.run("again"), ENDED, PLENTY, None) == "completed"
    )
    assert uploaded.objects() == before
    assert types_of(uploaded.events) == ["Analysed", "Completed"]


def test_of_finishers_racing_one_finishes_and_a_dead_one_is_replaced(uploaded):
    analysed = analyse_job(uploaded.run())
    for index in range(analysed.plan.count):
        assert render.render_chunk(uploaded.run(), analysed, index)
        assert not render.render_chunk(uploaded.run(), analysed, index)
    dead = replace(uploaded.run("dead"), bucket=_Mortal.of(uploaded.bucket, "manifest.json"))
    with pytest.raises(ConnectionResetError):
        finish_job(dead, analysed, 0.2)
    # it could not even give its claim back
    time.sleep(0.2)
    runs = [uploaded.run(f"child:{n}") for n in range(6)]
    with ThreadPoolExecutor(len(runs)) as pool:
        done = list(pool.map(lambda run: finish_job(run, analysed, 60), runs))
    assert any(done)
    assert types_of(uploaded.events) == ["Analysed", "Completed"]


class _Mortal(S3Location):
    """An S3 that is lost for good once a certain object is to be written."""

    @classmethod
    def of(cls, place, deadly):
        mortal = cls(place.client, place.bucket, place.prefix)
        _Mortal.deadly, _Mortal.dead = deadly, False
        return mortal

    def write(self, name, content):
        _Mortal.dead = _Mortal.dead or name == _Mortal.deadly
        if _Mortal.dead:
            raise ConnectionResetError
        return super().write(name, content)

    def put_if_absent(self, name, content):
        if _Mortal.dead:
            raise ConnectionResetError
        return super().put_if_absent(name, content)


def test_killed_after_success_the_event_is_sent_by_the_next_one(uploaded):
    state_machine.run_whole_job(uploaded.run())
    uploaded.place.delete(["chunks/announced"])
    del uploaded.events[:]
    assert state_machine.on_transform_ended(uploaded.run(), ENDED, PLENTY, None) == "completed"
    assert types_of(uploaded.events) == ["Completed"]


def test_missing_chunks_fail_the_job_with_what_they_said(uploaded):
    run = uploaded.run()
    analysed = analyse_job(run)
    uploaded.place.write(analysed.plan.error(1), b'{"error": "OutputError", "reason": "disk full"}')
    render.render_chunk(run, analysed, 0)
    assert missing_chunks(run, analysed) == [1]
    end = BatchEnd("talk", analysed.plan.digest, False, "Array Child Job failed")
    with pytest.raises(InputError, match=r"1 of 2 chunks could not be rendered .*disk full"):
        state_machine.on_array_job_ended(run, end, PLENTY, None)
    assert types_of(uploaded.events) == ["Analysed", "Failed"]
    assert state_machine.on_array_job_ended(run, end, PLENTY, None) == "failed"
    assert types_of(uploaded.events) == ["Analysed", "Failed"]


def test_what_verification_finds_fails_the_job_or_is_reported(uploaded, monkeypatch):
    found = Verification(
        12, 1, 1, False, [Violation("uncovered", 3, (1.0, 2.0, 3.0, 4.0), 0.97)], []
    )
    monkeypatch.setattr(render, "verify", lambda *_, **__: found)
    with pytest.raises(VerificationError, match="frame 3"):
        state_machine.run_whole_job(uploaded.run())
    assert "_SUCCESS" not in uploaded.results()
    assert uploaded.events[-1].detail["error"] == "VerificationError"
    clear_failure(uploaded.bucket, "talk")
    uploaded.submit(verification="report")
    counted = []
    assert state_machine.run_whole_job(replace(uploaded.run(), count=counted.append)) == "completed"
    assert counted == ["VerificationFailures"]
    report = json.loads(uploaded.place.read("report.json"))
    assert len(report["verification"]["violations"]) == 2


def test_out_of_time_the_rest_goes_to_batch(uploaded):
    sent = []

    class Queue:
        def submit_chunks(self, run, plan):
            sent.append(plan.count)
            return "batch-1"

    def seconds_left():
        return 0.0 if uploaded.place.find("veiled/img0000001.png") else 900.0

    budget = Budget(seconds_left, 10 << 30, 10 << 30)
    assert state_machine.on_transform_ended(uploaded.run(), ENDED, budget, Queue()) == "rendering"
    assert sent == [2]
    analysed = load_analysed(uploaded.run())
    assert missing_chunks(uploaded.run(), analysed) == [1]
    outcomes = [state_machine.render_one_chunk(uploaded.run(f"child:{n}"), n) for n in range(2)]
    assert outcomes[-1] == "completed"
    assert uploaded.objects("veiled/") == uploaded.rendered_here()


def _run_whole(url, bucket, folder):
    made = MadeJob(S3Location.open(f"s3://{bucket}", url), folder)
    state_machine.run_whole_job(made.run())


@pytest.mark.slow
def test_killed_twenty_times_it_ends_as_if_it_never_was(uploaded, s3_url):
    state_machine.run_whole_job(uploaded.run())
    expected = uploaded.results()
    uploaded.place.delete(list(expected))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["faceveil.jobs.state_machine", "testkit.made_job"])
    arguments = (s3_url, uploaded.bucket.bucket, uploaded.folder)
    moments, killed, longest = random.Random(1), 0, 1.0
    while killed < KILLS:
        process = context.Process(target=_run_whole, args=arguments)
        began = time.monotonic()
        process.start()
        process.join(moments.uniform(0, longest))
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            killed += 1
            shown = uploaded.objects("veiled/")
            assert all(expected[f"veiled/{name}"] == content for name, content in shown.items())
        else:
            # it got through, after some attempts: the same once more from the start
            assert process.exitcode == 0
            longest = time.monotonic() - began
            assert uploaded.results() == expected
            uploaded.place.delete(list(expected))
    state_machine.run_whole_job(uploaded.run())
    assert uploaded.results() == expected


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((403, "AccessDenied"), "access denied"),
        ((400, "ExpiredToken"), "no credentials for S3 that work"),
        ((404, "NoSuchBucket"), "no such bucket"),
    ],
)
def test_what_s3_refuses_half_way_fails_the_job_which_goes_on_when_repaired(
    uploaded, s3_url, answer, message
):
    def rule(request):
        return answer if re.search(r"veiled/img000001\d", request.key) else None

    with FaultyS3(s3_url, rule) as proxy:
        bucket = S3Location.open(f"s3://{uploaded.bucket.bucket}", proxy.url)
        with pytest.raises(OutputError, match=message):
            state_machine.on_transform_ended(uploaded.run(bucket=bucket), ENDED, PLENTY, None)
    assert types_of(uploaded.events) == ["Analysed", "Failed"]
    assert uploaded.events[-1].detail["stage"] == "render"
    assert message in json.loads(uploaded.place.read("error.json"))["reason"]
    # the same event again changes nothing; started again by hand, it goes on
    assert state_machine.on_transform_ended(uploaded.run(), ENDED, PLENTY, None) == "failed"
    clear_failure(uploaded.bucket, "talk")
    assert (
        state_machine.on_transform_ended(uploaded.run("another"), ENDED, PLENTY, None)
        == "completed"
    )
    assert uploaded.objects("veiled/") == uploaded.rendered_here()
