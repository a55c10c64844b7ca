"""The way of a job as an operator drives it: upload, submit, watch, download, clean up.

The deployment between them is the library's own steps over a real S3 (SeaweedFS); the networks are
left out (made_job.NoFaces), and SageMaker is this machine's (local_cloud).
"""

import json
import time
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError

from faceveil import finding
from faceveil.assure.verification import Verification, Violation
from faceveil.aws.clients import sagemaker_client
from faceveil.aws.sagemaker import PROCESSING, TRANSFORM
from faceveil.cli.aws.watch import Watcher
from faceveil.cli.main import main
from faceveil.corrections.document import Corrections, write_corrections
from faceveil.corrections.entries import BoxAt, Decide, Target
from faceveil.errors import InputError, OutputError, UsageError, VerificationError
from faceveil.jobs import state_machine
from faceveil.jobs.client import JobClient
from faceveil.jobs.costs.prices import read_prices
from faceveil.jobs.costs.spent import dollars_so_far
from faceveil.jobs.detections.answers import UnknownFrames
from faceveil.jobs.job import own_detections, read_job
from faceveil.jobs.job_run import JobRun
from faceveil.jobs.steps.analyse import decide_selection
from faceveil.jobs.transforms.names import note_names
from faceveil.jobs.transforms.watch import SageMakerWatch
from faceveil.media.folder import FolderSource
from faceveil.media.folder_sink import FolderSink
from faceveil.media.video import VideoSource
from faceveil.veiling import render_frames
from testkit.aws_calls import asked
from testkit.clips import make_clip, write_video
from testkit.iam_policies import allows, statements_of
from testkit.made_job import FRAMES, HEIGHT, WIDTH, NoFaces, faces_at, write_frames
from testkit.servers.faulty_s3 import TRUNCATE
from testkit.servers.local_cloud import LocalCloud


@pytest.fixture
def cloud(monkeypatch):
    with LocalCloud() as local:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", local.url)
        yield local


@pytest.fixture
def frames(tmp_path):
    return write_frames(tmp_path / "frames with spaces")


@pytest.fixture
def uploaded(aws, frames, job_id):
    assert aws("upload", frames, "--job", job_id) == 0
    return job_id


def deploy(place, job_id, folder):
    """What the deployment does with a job.json: the detections, and all steps after them."""
    job = JobClient(place.bucket, endpoint_url=place.client.meta.endpoint_url).job(job_id)
    detections = place.folder(own_detections(job_id))
    for number in range(FRAMES):
        detections.write(f"img{number + 1:07d}.png.out", faces_at(number).to_json())
    state_machine.run_whole_job(JobRun(place, job, [].append, NoFaces, "tester", folder))


def veiled_here(frames, document, folder):
    """What the library makes of the same frames in folders."""
    job = read_job(json.dumps(document).encode(), "job.json")
    source = FolderSource(frames)
    faces = ((number, faces_at(number)) for number in range(FRAMES))
    found = finding.follow(faces, job.sequences, size=(WIDTH, HEIGHT))
    analysis = decide_selection(job, found, source, None, UnknownFrames())
    with FolderSink(folder, source) as sink:
        render_frames(source, analysis, sink, job.style)
    return contents(folder)


def contents(folder):
    files = (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))
    return {path.name: path.read_bytes() for path in files}


def document_of(place, job_id):
    return json.loads(place.read(f"jobs/{job_id}/job.json"))


def test_the_whole_way_gives_what_this_machine_gives(
    aws, cloud, place, uploaded, frames, tmp_path, capsys
):
    choice = ("--keep-at", "9:107,50", "--veil", "pixelate", "--margin", "0.3")
    assert aws("submit", uploaded, *choice) == 0
    deploy(place, uploaded, tmp_path)
    assert aws("watch", uploaded, "--every", "0.1", "--prices", prices(tmp_path)) == 0
    destination = tmp_path / "talk 1"
    assert aws("download", uploaded, destination) == 0
    expected = veiled_here(frames, document_of(place, uploaded), tmp_path / "here")
    assert contents(destination / "veiled") == expected
    assert contents(frames) != expected
    assert json.loads((destination / "report.json").read_bytes())["format"] == "faceveil-report"


def test_a_job_is_rendered_again_with_corrections(aws, place, uploaded, frames, tmp_path, capsys):
    """From the desk to the cloud and back: the same bytes as `faceveil render --corrections`."""
    document, again = tmp_path / "c.json", f"{uploaded}-again"
    source = FolderSource(frames)
    ann = Target(sequence=BoxAt(2, tuple(faces_at(2).boxes[0].tolist())))
    corrections = Corrections(source.digest(), "talk", FRAMES)
    corrections = corrections.with_change(Decide(ann, "keep"), by="Ada")
    write_corrections(replace(corrections, frame_count=7), document)
    assert aws("submit", uploaded, "--corrections", document) == InputError.exit_code
    assert "are of 7 frames" in capsys.readouterr().err
    write_corrections(replace(corrections, digest=f"sha256:{'0' * 64}"), document)
    assert aws("submit", uploaded, "--corrections", document) == InputError.exit_code
    assert f"`faceveil review --job {uploaded}`" in capsys.readouterr().err
    write_corrections(replace(corrections, frame_count=7), document)
    assert aws("submit", uploaded) == 0
    deploy(place, uploaded, tmp_path)
    words = (uploaded, again, "--corrections", document, "--veil", "solid")
    assert aws("render-again", *words) == InputError.exit_code
    write_corrections(corrections, document)
    assert aws("render-again", *words, "--dry-run") == 0
    assert names(place, f"jobs/{again}/") == set()
    assert aws("render-again", *words) == 0
    deploy(place, again, tmp_path)
    destination = tmp_path / "talk 2"
    assert aws("download", again, destination) == 0
    assert (destination / "corrections.json").read_bytes() == document.read_bytes()
    here = [frames, destination / "analysis.json", tmp_path / "here", "--corrections", document]
    options = ["--veil", "solid", "--verify-frames", "off", "--quiet"]
    assert main([str(word) for word in ["render", *here, *options]]) == 0
    assert contents(destination / "veiled") == contents(tmp_path / "here")
    verified = [destination / "veiled", destination / "analysis.json", "--corrections", document]
    words = ["verify", *verified, "--input", frames, "--veil", "solid", "--quiet"]
    assert main([str(word) for word in words]) == 0
    place.write(f"jobs/{again}/corrections.json", document.read_bytes())
    assert aws("cleanup", again, "--results", "--yes") == 0
    assert names(place, f"jobs/{again}/") == {"job.json", "corrections.json"}


def test_watching_tells_how_far_how_long_and_how_dear(
    aws_loud, cloud, place, uploaded, tmp_path, capsys
):
    assert aws_loud("submit", uploaded) == 0
    note_names(place, uploaded, "news")
    cloud.answer("CreateTransformJob", transform_of(uploaded))
    place.write(f"jobs/{uploaded}/submit/started.json", b"{}")
    detections = place.folder(own_detections(uploaded))
    for number in range(5):
        detections.write(f"img{number + 1:07d}.png.out", faces_at(number).to_json())
    told = []
    transform = SageMakerWatch(sagemaker_client(), place, uploaded, TRANSFORM)
    watcher = Watcher(transform, read_prices(), told.append)
    client = JobClient(place.bucket)
    watcher.look(client.status(uploaded))
    for number in range(5, 12):
        detections.write(f"img{number + 1:07d}.png.out", faces_at(number).to_json())
    watcher.look(client.status(uploaded))
    first, second = told
    assert (first.done, first.total, first.eta_seconds) == (5, FRAMES, None)
    assert second.eta_seconds == pytest.approx(12 / second.per_second)
    assert "detecting: 12 of 24 frames (transform job InProgress), " in str(second)
    # 2 x 0.204 $ an hour, begun an hour ago; requests of half of the frames are less than a cent.
    assert second.dollars == pytest.approx(0.408, abs=0.003)
    deploy(place, uploaded, tmp_path)
    capsys.readouterr()
    assert aws_loud("watch", uploaded, "--progress", "json") == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["finished"] is True
    assert aws_loud("watch", uploaded) == 0
    said = capsys.readouterr().err
    assert f"{FRAMES} frames in 1 shots: 2 people, 0 of them kept, all others veiled" in said
    assert "frames looked at: nothing shows" in said
    assert f"next: faceveil aws download {uploaded}" in said


def transform_of(job_id):
    return {
        "TransformJobName": f"news--{job_id}",
        "TransformResources": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2},
        "TransformStartTime": time.time() - 3600,
    }


def test_a_report_tells_what_verification_found():
    found = Verification(
        frames=9,
        looked_at=3,
        veils=20,
        recognised=False,
        violations=[Violation("uncovered", 4, (1.0, 2.0, 3.0, 4.0), 0.9)],
        doubtful=[(5, (1.0, 2.0, 3.0, 4.0))],
    )
    again = Verification.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found
    assert "1 frames show" in again.summary()


def test_a_failed_job_ends_the_watch_with_its_reason_and_code(aws, cloud, place, uploaded, capsys):
    assert aws("submit", uploaded) == 0
    detail = {"stage": "finish", "error": "VerificationError", "reason": "frame 7 shows a face"}
    place.write(f"jobs/{uploaded}/error.json", json.dumps(detail).encode())
    assert aws("watch", uploaded) == VerificationError.exit_code
    assert "failed at finish: frame 7 shows a face" in capsys.readouterr().err


def test_a_download_goes_on_where_it_was_and_takes_nothing_wrong(
    aws, place, uploaded, tmp_path, capsys, faulty, monkeypatch
):
    assert aws("submit", uploaded) == 0
    assert aws("download", uploaded, tmp_path / "early") == InputError.exit_code
    assert "has no results: the job is submitted" in capsys.readouterr().err
    deploy(place, uploaded, tmp_path)
    out = tmp_path / "out"
    assert aws("download", uploaded, out, "--dry-run") == 0
    assert f"would download {FRAMES} of {FRAMES} files" in capsys.readouterr().out
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
        assert aws("download", uploaded, out) == OutputError.exit_code
    assert "the download needs about" in capsys.readouterr().err
    assert not out.exists()
    assert not out.exists()
    assert aws("download", uploaded, out) == 0
    whole = contents(out / "veiled")
    lost, broken = sorted((out / "veiled").iterdir())[:2]
    lost.unlink()
    lost.with_name(f".{lost.stem}.1-abc.partial.png").write_bytes(b"of a killed one")
    broken.write_bytes(b"half")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", faulty.url)
    faulty.rule = lambda request: (
        TRUNCATE if request.index == 0 and "0000001" in request.key else None
    )
    assert aws("download", uploaded, out) == 0
    assert contents(out / "veiled") == whole
    manifest = json.loads(place.read(f"jobs/{uploaded}/manifest.json"))
    manifest["sha256"]["veiled/../../../outside.png"] = "0" * 64
    place.write(f"jobs/{uploaded}/manifest.json", json.dumps(manifest).encode())
    assert aws("download", uploaded, tmp_path / "elsewhere") == InputError.exit_code
    assert "leads out of" in capsys.readouterr().err
    del manifest["sha256"]["veiled/../../../outside.png"]
    place.write(f"jobs/{uploaded}/manifest.json", json.dumps(manifest).encode())
    (out / "veiled" / "stranger.png").write_bytes(b"")
    assert aws("download", uploaded, out) == UsageError.exit_code
    (out / "veiled" / "stranger.png").unlink()
    place.write(f"jobs/{uploaded}/veiled/img0000003.png", b"changed since")
    (out / "veiled" / "img0000003.png").unlink()
    before = (out / "manifest.json").read_bytes()
    assert aws("download", uploaded, out) == OutputError.exit_code
    assert "manifest.json: exists already with another content" in capsys.readouterr().err
    assert (out / "manifest.json").read_bytes() == before
    assert aws("download", uploaded, out, "--overwrite") == InputError.exit_code
    assert "was changed after the job had written it" in capsys.readouterr().err
    assert sorted(contents(out / "veiled")) == sorted(whole.keys() - {"img0000003.png"})


def names(place, prefix):
    return {item.name for page in place.folder(prefix).pages(recursive=True) for item in page}


def test_a_cleanup_deletes_what_it_is_told_and_nothing_of_others(
    aws, place, uploaded, frames, tmp_path, capsys
):
    other = f"{uploaded}-2"
    assert aws("upload", frames, "--job", other) == 0
    for job_id in (uploaded, other):
        assert aws("submit", job_id) == 0
        deploy(place, job_id, tmp_path)
    before = {key for key in names(place, "") if other in key}
    assert aws("cleanup", uploaded) == UsageError.exit_code
    everything = ("--features", "--frames", "--results")
    assert aws("cleanup", uploaded, *everything, "--dry-run") == 0
    said = [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()[-4:-1]]
    folders = ("detections", "frames", "jobs")
    assert said == [f"s3://{place.bucket}/{folder}/{uploaded}/" for folder in folders]
    assert len(names(place, f"frames/{uploaded}/")) == FRAMES
    assert aws("cleanup", uploaded, "--features") == UsageError.exit_code
    assert "add --yes" in capsys.readouterr().err
    assert aws("cleanup", uploaded, "--features", "--yes") == 0
    assert not names(place, f"detections/{uploaded}/")
    assert len(names(place, f"frames/{uploaded}/")) == FRAMES
    assert aws("cleanup", uploaded, *everything, "--yes") == 0
    assert names(place, f"jobs/{uploaded}/") == {"job.json"}
    assert not names(place, f"frames/{uploaded}/")
    assert {key for key in names(place, "") if other in key} == before
    assert aws("submit", uploaded, "--nobody") == InputError.exit_code


def test_what_runs_or_what_another_job_needs_is_not_deleted(aws, place, uploaded, tmp_path, capsys):
    assert aws("submit", uploaded) == 0
    place.write(f"jobs/{uploaded}/submit/started.json", b"{}")
    assert aws("cleanup", uploaded, "--frames", "--yes") == InputError.exit_code
    assert "wait until it has ended" in capsys.readouterr().err
    deploy(place, uploaded, tmp_path)
    again = f"{uploaded}-again"
    JobClient(place.bucket).render_again(uploaded, again, {"mode": "none"})
    assert aws("cleanup", uploaded, "--features", "--yes") == InputError.exit_code
    assert f"job {again} still needs it" in capsys.readouterr().err
    assert names(place, f"detections/{uploaded}/")


def test_who_may_only_read_deletes_nothing(aws, place, uploaded, reader_credentials, capsys):
    assert aws("cleanup", uploaded, "--frames", "--yes") == OutputError.exit_code
    assert f"frames/{uploaded}/" in capsys.readouterr().err
    assert len(names(place, f"frames/{uploaded}/")) == FRAMES


def test_what_sagemaker_does_not_tell_is_left_out(uploaded, aws, cloud, place):
    note_names(place, uploaded, None)
    asked = []

    class Denied:
        def describe_transform_job(self, **request):
            asked.append(request)
            error = {"Code": "AccessDeniedException", "Message": "not you"}
            raise ClientError({"Error": error}, "DescribeTransformJob")

    transform = SageMakerWatch(Denied(), place, uploaded, TRANSFORM)
    assert transform.look() == ()
    assert transform.look() == ()
    assert len(asked) == 1
    assert SageMakerWatch(sagemaker_client(), place, "never-submitted", TRANSFORM).look() == ()


def test_both_processing_jobs_are_watched_and_paid(aws, cloud, place, uploaded):
    """The seconds of the first are kept when the second is at work."""
    assert aws("submit", uploaded, "--as", "processing", "--instance-count", "2") == 0
    watch = SageMakerWatch(sagemaker_client(), place, uploaded, PROCESSING)
    assert watch.look() == (), "it may be asked before the deployment has created anything"
    names = note_names(place, uploaded, "news")
    resources = {"ClusterConfig": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2}}
    hour_ago = {"ProcessingStartTime": time.time() - 3600, "ProcessingResources": resources}
    first = {"ProcessingJobName": names.name("detect"), **hour_ago}
    cloud.answer("CreateProcessingJob", {**first, "ProcessingEndTime": time.time()})
    (looked,) = watch.look()
    assert (looked.status, looked.instance_count) == ("InProgress", 2)
    assert looked.seconds == pytest.approx(3600, abs=5)
    cloud.states[names.name("detect")] = "Completed"
    second = {"ProcessingJobName": names.name("render"), **hour_ago}
    cloud.answer("CreateProcessingJob", second)
    assert sum(job.seconds for job in watch.look()) == pytest.approx(7200, abs=10)


def test_every_attempt_is_watched_and_paid_at_its_own_price(aws, cloud, place, uploaded):
    """A transform that failed, another on dearer machines, and the second pass of a sampled job."""
    assert aws("submit", uploaded) == 0
    watch = SageMakerWatch(sagemaker_client(), place, uploaded, TRANSFORM)
    names = note_names(place, uploaded, "news")

    def create(which, attempt, instance_type):
        request = transform_of(uploaded) | {"TransformJobName": names.name(which, attempt)}
        request["TransformResources"] = {"InstanceType": instance_type, "InstanceCount": 2}
        cloud.answer("CreateTransformJob", request | {"TransformEndTime": time.time()})

    create("detect", 1, "ml.c5.xlarge")
    cloud.states[names.name("detect")] = "Failed"
    assert [job.status for job in watch.look()] == ["Failed"]
    create("detect", 2, "ml.c5.2xlarge")
    assert [job.status for job in watch.look()] == ["Failed", "InProgress"]
    cloud.states[names.name("detect", 2)] = "Completed"
    create("refine", 1, "ml.c5.2xlarge")
    jobs = watch.look()
    assert [job.status for job in jobs] == ["Failed", "Completed", "InProgress"]
    again = SageMakerWatch(sagemaker_client(), place, uploaded, TRANSFORM).look()
    assert [job.instance_type for job in again] == [job.instance_type for job in jobs]
    prices = read_prices()
    hours = [prices.transform[f"ml.c5.{size}"] for size in ("xlarge", "2xlarge", "2xlarge")]
    dollars = dollars_so_far(prices, JobClient(place.bucket).status(uploaded), jobs)
    assert dollars == pytest.approx(2 * sum(hours), rel=0.01)


def test_veiled_frames_become_a_video_at_the_times_of_their_source(aws, tmp_path):
    video = tmp_path / "talk.mp4"
    write_video(make_clip(160, 96, frame_count=FRAMES), video)
    frames = write_frames(tmp_path / "veiled")
    out = tmp_path / "out.mp4"
    assert aws("assemble", frames, out) == UsageError.exit_code
    assert aws("assemble", frames, video, "--source", video) == UsageError.exit_code
    assert aws("assemble", frames, out, "--source", video, "--dry-run") == 0
    assert not out.exists()
    assert aws("assemble", frames, out, "--source", video) == 0
    assert VideoSource(out).frame_count == FRAMES
    assert aws("assemble", frames, tmp_path / "silent.mp4", "--rate", "30000/1001") == 0
    assert VideoSource(tmp_path / "silent.mp4").rate == Fraction(30000, 1001)


def prices(folder):
    path = folder / "prices.toml"
    path.write_text('date = "2030-01"\nregion = "eu-north-1"\n[transform]\n"ml.c5.xlarge" = 1.0\n')
    return path


@pytest.fixture
def calls(aws, cloud, place, frames, job_id, tmp_path, monkeypatch):
    """What the verbs that bring, start, follow and fetch a job ask of S3 and SageMaker."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.session.Session())
    made_calls = []

    def record(params, model, **_):
        service = model.service_model.service_name
        call = {"service": service, "operation": model.name, "parameters": dict(params)}
        made_calls.extend(asked(call))

    boto3.DEFAULT_SESSION.events.register("before-parameter-build", record)
    photo = f"Ann={frames / 'img0000001.png'}"
    assert aws("upload", frames, "--job", job_id, "--person", photo) == 0
    assert aws("upload", frames, "--job", job_id) == 0
    assert aws("submit", job_id, "--keep-at", "9:107,50") == 0
    note_names(place, job_id, "faceveil")
    deploy(place, job_id, tmp_path)
    assert aws("watch", job_id) == 0
    assert aws("download", job_id, tmp_path / "out") == 0
    return made_calls


@pytest.mark.slow
def test_a_backends_rights_are_enough_to_bring_follow_and_fetch_a_job(calls, job_id, module_test):
    policy = statements_of(module_test.states["defaults"]["outputs"]["backend_policy"]["value"])
    refused = {
        (action, tuple(context.items()))
        for action, resource, context in calls
        if not allows(policy, action, resource, context)
    }
    assert refused <= {("s3:ListBucket", (("s3:prefix", f"detections/{job_id}/"),))}
    s3 = {"s3:PutObject", "s3:GetObject", "s3:ListBucket"}
    assert {action for action, _, _ in calls} == s3 | {"sagemaker:DescribeTransformJob"}
