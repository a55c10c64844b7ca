"""A job that looks at few frames first, in a first transform job, then in a second one between
those that disagree: as good as one that looks at every frame, at a fraction of the invocations.

Real: S3 (SeaweedFS), the Batch Transform runner with its manifests and HTTP, all steps of the
functions. Simulated: SageMaker's control plane (local_cloud), and the networks, by the truth of a
made scene.
"""

import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import pytest

from faceveil.analysis import parse_analysis
from faceveil.aws.clients import s3_client
from faceveil.aws.s3 import S3Location
from faceveil.errors import InputError
from faceveil.faces import FrameFaces
from faceveil.jobs import state_machine
from faceveil.jobs.chunks.budget import MIB, Budget
from faceveil.jobs.detections.sampled import answered
from faceveil.jobs.job_folder import load_job
from faceveil.jobs.job_run import JobRun
from faceveil.jobs.state_changes import transform_end
from faceveil.jobs.status import read_status
from faceveil.jobs.submission import Submission, start_job, start_waiting
from faceveil.jobs.transforms.refine import SecondPass
from faceveil.jobs.transforms.request import Machines
from faceveil.jobs.waiting import retry_waiting
from faceveil.local_transform import server_client as transform_client
from faceveil.local_transform.parameters import TransformJob
from faceveil.local_transform.run import run_job
from faceveil.local_transform.server import RunningServer
from faceveil.progress import QuietProgress
from testkit.made_job import MODELS, NoFaces, write_frames
from testkit.servers.local_cloud import LocalCloud
from testkit.servers.stub_model_server import Handler, StubServer

WIDTH, HEIGHT, FRAMES = 160, 96, 73
KEEP_ANN = {"mode": "keep", "points": [{"frame": 0, "x": 30, "y": 40}]}
ROOMY = Budget(lambda: 900.0, 4096 * MIB, 4096 * MIB)


@dataclass(frozen=True)
class Scene:
    """Ann all the time, moving at `speed`; Bob in `bob`; from `cut` on two others, elsewhere."""

    speed: float = 0
    bob: range = range(1000)
    cut: int = 1000

    def look(self, number):
        people = [(30 + self.speed * number, 40, 0)] + [(110, 50, 1)] * (number in self.bob)
        centres = np.array([person[:2] for person in people], np.float32)
        features = np.eye(4, dtype=np.float32)[[person[2] for person in people]]
        after = number >= self.cut
        picture = np.random.default_rng(int(after)).integers(0, 256, (27, 48, 3), np.uint8)
        return FrameFaces(
            WIDTH,
            HEIGHT,
            MODELS,
            boxes=np.hstack((centres - 16, centres + 16)),
            scores=np.full(len(people), 0.99, np.float32),
            landmarks=np.zeros((len(people), 5, 2), np.float32),
            features=np.roll(features, 2 * after, axis=1),
            thumbnail=picture,
        )


STATIC = Scene()
MOVING = Scene(speed=0.4, bob=range(20, 45), cut=55)


class SceneServer(StubServer):
    """Knows a frame by its bytes; fails for those in `broken`."""

    def __init__(self, scene, frames):
        super().__init__()
        self.scene, self.frames, self.broken = scene, frames, ()
        self.RequestHandlerClass = SceneHandler


class SceneHandler(Handler):
    server: SceneServer

    def misbehave(self, body, times):
        number = self.server.frames[body]
        if number in self.server.broken:
            self.answer(400, {"error": "told to"})
        else:
            self.answer(200, json.loads(self.server.scene.look(number).to_json()))


@dataclass
class Deployment:
    """What AWS would do for a job, step by step. states: of the job after each transform job."""

    bucket: S3Location
    url: str
    cloud: LocalCloud
    server: SceneServer
    folder: object
    sagemaker: object
    announced: list = field(default_factory=list)
    states: list = field(default_factory=list)
    broken: tuple = ()

    def submit(self, job_id, **fields):
        job = {"version": 1, "id": job_id, "frames": {"prefix": "frames/sampled/", "rate": 25}}
        job |= {"selection": KEEP_ANN, "verification": "off", **fields}
        self.bucket.write(f"jobs/{job_id}/job.json", json.dumps(job).encode())
        machines = Machines("faceveil", "ml.m5.large")
        submission = Submission(
            self.bucket, machines, lambda: self.sagemaker, self.announced.append
        )
        assert start_job(submission, job_id) == "submitted"

    def detect(self):
        """What SageMaker does with what was created first: the detail of its event."""
        _, request = self.cloud.happened.get_nowait()
        source = request["TransformInput"]["DataSource"]["S3DataSource"]
        job = TransformJob(
            request["TransformJobName"],
            source["S3Uri"],
            request["TransformOutput"]["S3OutputPath"],
            manifest=source["S3DataType"] == "ManifestFile",
        )
        told = []
        run_job(
            job,
            self.served(),
            s3_client(self.url),
            start_seconds=5,
            resume=False,
            progress=QuietProgress(),
            announce=told.append,
            report=print,
        )
        return told[0]["detail"]

    @contextmanager
    def served(self):
        yield RunningServer(self.server.url)

    def run(self, job_id, owner="tester"):
        return JobRun(
            bucket=self.bucket,
            job=load_job(self.bucket, job_id),
            announce=self.announced.append,
            analyzer=NoFaces,
            owner=owner,
            scratch=self.folder,
        )

    def ended(self, detail, owner="tester"):
        """What the function does at the event."""
        end = transform_end(detail)
        second = SecondPass(lambda: Machines("faceveil", "ml.m5.large"), lambda: self.sagemaker)
        return state_machine.on_transform_ended(
            self.run(end.job_id, owner), end, ROOMY, None, second
        )

    def retried(self):
        """What the timer does: the ids of the jobs that wait no longer."""
        machines = Machines("faceveil", "ml.m5.large")
        client = lambda: self.sagemaker  # noqa: E731
        submission = Submission(self.bucket, machines, client, self.announced.append)

        def retry(job_id, which):
            if which == "detect":
                start_waiting(submission, job_id)
            else:
                second = SecondPass(lambda: machines, client)
                state_machine.start_waiting_refine(self.run(job_id), second)

        return retry_waiting(self.bucket, retry, self.announced.append, datetime.now(UTC))

    def whole(self, job_id, **fields):
        """All of a job; gives its analysis, and how many frames a network looked at."""
        self.server.bodies.clear()
        self.submit(job_id, **fields)
        outcomes = []
        while not self.cloud.happened.empty():
            outcomes.append(self.ended(self.detect()))
            self.states.append(str(read_status(self.bucket, job_id)))
        assert outcomes[-1] == "completed"
        return self.analysis(job_id), sum(self.server.bodies.values())

    def analysis(self, job_id):
        return parse_analysis(self.bucket.read(f"jobs/{job_id}/analysis.json"), "")

    def veiled(self, job_id):
        place = self.bucket.folder(f"jobs/{job_id}/veiled/")
        return {item.name: place.read(item.name) for page in place.pages() for item in page}


@pytest.fixture(scope="module")
def frames(busy_bucket, s3_url, tmp_path_factory):
    """The bucket, with frames in it, and the number of each by its content."""
    place = S3Location.open(f"s3://{busy_bucket}", s3_url)
    folder = write_frames(tmp_path_factory.mktemp("frames"), FRAMES)
    contents = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    for name, content in contents.items():
        place.write(f"frames/sampled/{name}", content)
    yield place, {content: number for number, content in enumerate(contents.values())}
    empty(place, "frames/sampled/")


def empty(place, *folders):
    for name in folders:
        folder = place.folder(name)
        folder.delete([item.name for page in folder.pages(recursive=True) for item in page])


@pytest.fixture
def deploy(frames, s3_url, tmp_path, connect, monkeypatch):
    """Deploys for a scene whose frames are in the bucket."""
    monkeypatch.setattr(transform_client, "PING_INTERVAL_SECONDS", 0.02)
    place, numbers = frames
    opened = []

    def deploy(scene):
        cloud, server = LocalCloud().__enter__(), SceneServer(scene, numbers).__enter__()
        opened.extend((cloud, server))
        sagemaker = connect("sagemaker", cloud.url)
        return Deployment(place, s3_url, cloud, server, tmp_path, sagemaker)

    yield deploy
    for each in opened:
        each.__exit__()
    empty(place, "jobs/", "detections/")


SAMPLED = {"sampling": {"mode": "adaptive", "step": 12}}


def veils(analysis):
    """Frame -> boxes of the veils, and what was decided of whom."""
    boxes = {}
    for sequence, veil in zip(analysis.sequences, analysis.veiled, strict=True):
        for number, box in zip(sequence.frames.tolist(), sequence.boxes, strict=True):
            if veil:
                boxes.setdefault(number, []).append(box)
    return boxes, [(each.veil, each.reason) for each in analysis.decisions]


def check_same(sampled, every):
    boxes, decisions = veils(sampled)
    expected, expected_decisions = veils(every)
    assert decisions == expected_decisions
    assert boxes.keys() == expected.keys()
    for number, wanted in expected.items():
        assert np.allclose(np.sort(boxes[number], axis=0), np.sort(wanted, axis=0), atol=3), number
    assert sampled.shot_starts.tolist() == every.shot_starts.tolist()
    assert len(sampled.unknown_frames) == 0


def test_where_nothing_moves_a_tenth_of_the_looks_gives_the_same_video(deploy):
    here = deploy(STATIC)
    every, all_looks = here.whole("every")
    sampled, looks = here.whole("sampled", **SAMPLED)
    check_same(sampled, every)
    assert here.veiled("sampled") == here.veiled("every")
    assert (all_looks, looks) == (FRAMES, 7)
    assert here.states == ["completed", "completed"]


def test_where_people_come_and_go_a_second_look_decides_as_all_looks_do(deploy):
    here = deploy(MOVING)
    every, all_looks = here.whole("every")
    sampled, looks = here.whole("sampled", **SAMPLED)
    check_same(sampled, every)
    assert here.veiled("sampled").keys() == here.veiled("every").keys()
    # Bob comes in (12, 24), leaves in (36, 48), and (48, 60) has a cut
    assert (all_looks, looks) == (FRAMES, 7 + 3 * 11)
    assert here.states == ["completed", f"detecting: 7 of {FRAMES} frames", "completed"]


def test_an_event_that_comes_again_starts_no_second_second_job(deploy):
    here = deploy(MOVING)
    here.submit("talk", **SAMPLED)
    first = here.detect()
    assert here.ended(first) == "refining"
    assert here.ended(first) == "refining"
    assert here.ended(first, "another") == "elsewhere"
    here.bucket.delete(["jobs/talk/submit/refining.json"])  # killed before it was noted
    assert here.ended(first) == "refining"
    assert here.cloud.happened.qsize() == 1
    second = here.detect()
    assert second["TransformJobName"] == "faceveil-talk-refine"
    here.bucket.delete(["jobs/talk/submit/refining.json"])
    assert here.ended(first) == "refining", "planned from the first looks only"
    assert here.ended(second) == "completed"
    assert here.ended(first) == here.ended(second) == "completed"
    assert here.cloud.happened.empty()
    assert [event.detail_type.split()[-1] for event in here.announced] == [
        "Submitted",
        "Analysed",
        "Completed",
    ]


def test_two_at_once_plan_one_second_job(deploy):
    here = deploy(MOVING)
    here.submit("talk", **SAMPLED)
    first = here.detect()
    run = here.run("talk", "somebody else")
    assert state_machine.Claims(run.folder, run.owner).take("refine", 60)
    assert here.ended(first) == "elsewhere"
    assert here.cloud.happened.empty()


@pytest.mark.parametrize("failing_pass", ["first", "second"])
def test_a_pass_that_fails_refuses_the_job_or_leaves_unknown_what_it_did_not_see(
    deploy, failing_pass
):
    here = deploy(MOVING)
    here.server.broken = (36,) if failing_pass == "first" else (20, 21, 30)
    here.submit("refuse", **SAMPLED)
    here.submit("go-on", **SAMPLED, on_failure="veil_unknown")
    ends = [here.detect(), here.detect()]
    if failing_pass == "second":
        assert [here.ended(detail) for detail in ends] == ["refining", "refining"]
        ends = [here.detect(), here.detect()]
    with pytest.raises(InputError, match="the transform job has failed"):
        here.ended(ends[0])
    assert here.ended(ends[1]) == "completed"
    assert here.cloud.happened.empty()
    unknown = here.analysis("go-on").unknown_frames.tolist()
    if failing_pass == "second":
        assert unknown == [20, 21]  # Bob comes between 19 and 22
    else:  # whatever lies between looks that disagree, or have one missing between them
        assert unknown == [*range(13, 24), *range(25, 48), *range(49, 60)]


def test_a_first_pass_that_left_nothing_fails_the_job(deploy):
    here = deploy(STATIC)
    here.submit("talk", **SAMPLED)
    detail = here.detect()
    place = here.bucket.folder("detections/talk/")
    place.delete([item.name for page in place.pages() for item in page])
    with pytest.raises(InputError, match="completed and left nothing"):
        here.ended(detail)


def test_a_job_over_detections_of_a_sampled_one_says_how_they_were_made(deploy):
    here = deploy(STATIC)
    here.whole("talk", **SAMPLED)
    run = here.run("talk")
    again = replace(run.job, id="again", output_prefix="jobs/again/veiled/")
    assert state_machine.run_whole_job(replace(run, job=again)) == "completed"
    assert here.veiled("again") == here.veiled("talk")
    # Who does not say so has the rest veiled whole: nothing is taken for seen.
    blind = replace(again, id="blind", output_prefix="jobs/blind/veiled/", coarse_step=None)
    assert state_machine.run_whole_job(replace(run, job=blind)) == "completed"
    assert len(here.analysis("blind").unknown_frames) == FRAMES - 7


def test_a_refine_pass_that_has_no_machines_waits_and_the_coarse_pass_is_kept(deploy):
    """Neither a quota that is used up nor a lack of capacity costs the pass that is paid."""
    here = deploy(MOVING)
    here.submit("talk", **SAMPLED)
    first = here.detect()
    here.cloud.states["faceveil-talk"] = "Completed"
    coarse = answered(here.bucket.folder("detections/talk/"))
    here.cloud.has_machines = False
    assert here.ended(first) == "waiting"
    assert here.ended(first) == "waiting"  # the event comes twice
    assert read_status(here.bucket, "talk").state == "waiting"
    assert here.retried() == []
    here.cloud.has_machines = True
    assert here.retried() == ["talk"]
    _, request = here.cloud.happened.get_nowait()
    assert request["TransformJobName"] == "faceveil-talk-refine"
    here.cloud.states["faceveil-talk-refine"] = "Failed"
    lacking = {
        **first,
        "TransformJobName": "faceveil-talk-refine",
        "TransformJobStatus": "Failed",
        "FailureReason": "CapacityError: Unable to provision requested ML compute capacity",
    }
    assert here.ended(lacking) == "waiting"
    assert here.retried() == ["talk"]
    second = here.detect()
    assert second["TransformJobName"] == "faceveil-talk-refine-try2"
    assert sum(here.server.bodies.values()) > len(coarse)
    assert here.ended(second) == "completed"
    assert here.cloud.happened.empty()
    assert coarse < answered(here.bucket.folder("detections/talk/"))


def test_a_first_pass_that_lacked_capacity_is_detected_under_another_name(deploy):
    here = deploy(STATIC)
    here.submit("talk", **SAMPLED)
    here.cloud.happened.get_nowait()
    here.cloud.states["faceveil-talk"] = "Failed"
    detail = {
        "TransformJobName": "faceveil-talk",
        "TransformJobStatus": "Failed",
        "TransformOutput": {"S3OutputPath": "s3://a-bucket/detections/talk/"},
        "FailureReason": "CapacityError: Unable to provision requested ML compute capacity",
    }
    assert here.ended(detail) == "waiting"
    assert here.retried() == ["talk"]
    end = here.detect()
    assert end["TransformJobName"] == "faceveil-talk-try2"
    assert here.ended(end) == "completed"
