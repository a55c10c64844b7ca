"""job.json as `faceveil aws submit` makes it of options, and what it refuses."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from faceveil.cli.main import main
from faceveil.detect.also import AlsoOptions
from faceveil.errors import InputError, OutputError, UsageError
from faceveil.jobs.job_folder import load_job
from testkit.clips import make_clip, write_video
from testkit.s3_media import encoded, put_frames

FRAMES = 3


@pytest.fixture
def frames(place, job_id):
    """Frames that somebody else has brought."""
    put_frames(place.folder(f"archive/{job_id}"), FRAMES)
    return f"archive/{job_id}/"


def submitted(place, job_id):
    return json.loads(place.read(f"jobs/{job_id}/job.json"))


def test_options_become_the_job(aws, place, job_id, frames, tmp_path, capsys):
    photo = tmp_path / "Ann.png"
    photo.write_bytes(encoded(1))
    words = ["--frames", frames, "--rate", "30000/1001", "--only", photo, "--only-at", "2:10.5,20"]
    words += [
        "--between",
        "0:01-0:02.5",
        "--between",
        "7-9",
        "--accept",
        "0.5",
        "--uncertain",
        "0.4",
    ]
    words += ["--veil", "solid", "--margin", "0.5", "--video", "out", "--crf", "20"]
    words += ["--instance-type", "ml.c5.2xlarge", "--instance-count", "3", "--sampling", "adaptive"]
    words += ["--on-violation", "report", "--on-failure", "veil_unknown", "--delete-features"]
    words += ["--detector", "mtcnn"]
    assert aws("submit", job_id, *words, "--dry-run") == 0
    said = capsys.readouterr().out
    assert place.folder(f"jobs/{job_id}").find("job.json") is None
    assert aws("submit", job_id, *words) == 0
    document = submitted(place, job_id)
    assert json.loads(said[said.index("{") :]) == document
    prefix = f"jobs/{job_id}/"
    assert place.read(f"{prefix}references/Ann/Ann.png") == photo.read_bytes()
    assert document == {
        "version": 1,
        "id": job_id,
        "frames": {"prefix": frames, "rate": "30000/1001"},
        "selection": {
            "mode": "only",
            "references": {"Ann": f"{prefix}references/Ann/"},
            "points": [{"frame": 2, "x": 10.5, "y": 20.0}],
            "times": [{"seconds": [1, 2.5]}, {"frames": [7, 9]}],
            "accept": 0.5,
            "uncertain": 0.4,
        },
        "sampling": {"mode": "adaptive"},
        "veil": {"style": "solid", "margin": 0.5},
        "output": {"video": {"key": f"{prefix}out.mp4", "crf": 20.0}},
        "networks": {"detector": "mtcnn"},
        "verification": "report",
        "on_failure": "veil_unknown",
        "retention": {"delete_features": True},
        "transform": {"instance_type": "ml.c5.2xlarge", "instance_count": 3},
    }


def test_kinds_and_regions_become_the_job(aws, place, job_id, frames):
    """And job.json means the same as the options of the other commands."""
    plates = "models/plates.onnx:kind=plate,accept=0.4"
    words = ["--also", plates, "--also", "/opt/heads.onnx", "--rate", "25"]
    words += ["--region", "120-300:0.7,0.8,1,1:screen", "--region", "0:05-0:12.5:640,20,900,120"]
    assert aws("submit", job_id, "--frames", frames, *words) == 0
    document = submitted(place, job_id)
    assert document["regions"] == [
        {"frames": [120, 300], "box": [0.7, 0.8, 1, 1], "kind": "screen"},
        {"seconds": [5, 12.5], "box": [640, 20, 900, 120], "kind": "other"},
    ]
    job = load_job(place, job_id)
    assert [AlsoOptions.parse(text) for text in job.networks.also] == [
        AlsoOptions.parse(plates),
        AlsoOptions("/opt/heads.onnx"),
    ]
    assert [(region.start, region.end) for region in job.regions] == [(120, 300), (125, 313)]


def test_frames_of_another_bucket_are_named_with_it(
    aws_loud, place, bucket, job_id, tmp_path, monkeypatch, capsys
):
    """Terraform's outputs tell whose it must be."""
    put_frames(replace(place, bucket=bucket).folder("raw"), FRAMES)
    outputs = {"bucket": {"value": place.bucket}, "input_buckets": {"value": {bucket: "1" * 12}}}
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(outputs))
    words = ["--frames", f"s3://{bucket}/raw/", "--outputs", path]
    assert aws_loud("submit", job_id, *words) == 0
    assert f"{FRAMES} frames" in capsys.readouterr().out
    assert submitted(place, job_id)["frames"] == {"bucket": bucket, "prefix": "raw/"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--frames", "source/talk.MP4"), "`faceveil aws upload FILE --job"),
        (("--frames", "s3://news-raw/talk.mkv"), "this is a video"),
        (("--as", "processing", "--sampling", "adaptive"), "submit with --as transform"),
    ],
)
def test_what_no_job_does_is_refused_with_a_way_that_leads_there(aws, job_id, capsys, words, said):
    assert aws("submit", job_id, *words) == UsageError.exit_code
    assert said in capsys.readouterr().err


def test_an_id_is_used_once_and_the_same_job_may_be_told_again(
    aws, place, job_id, frames, tmp_path, capsys
):
    assert aws("submit", job_id, "--frames", frames) == 0
    before = place.folder(f"jobs/{job_id}").find("job.json")
    assert aws("submit", job_id, "--frames", frames) == 0
    assert place.folder(f"jobs/{job_id}").find("job.json") == before
    photo = tmp_path / "Ann.png"
    photo.write_bytes(encoded(1))
    for other in (("--nobody",), ("--keep", photo)):
        assert aws("submit", job_id, "--frames", frames, *other) == InputError.exit_code
        assert "another job has this id" in capsys.readouterr().err
    assert place.folder(f"jobs/{job_id}").find("references/Ann/Ann.png") is None


def test_frames_that_were_lost_or_came_after_an_upload_are_noticed(
    aws, place, job_id, tmp_path, capsys
):
    for number in (1, 2, 3):
        (tmp_path / f"img{number}.png").write_bytes(encoded(number))
    assert aws("upload", tmp_path, "--job", job_id) == 0
    place.write(f"frames/{job_id}/img4.png", encoded(4))
    assert aws("submit", job_id) == InputError.exit_code
    assert "4 frames, but 3 were uploaded" in capsys.readouterr().err


def test_terraforms_outputs_are_what_is_not_said_otherwise(
    aws, place, job_id, frames, tmp_path, monkeypatch, capsys
):
    outputs = tmp_path / "outputs.json"
    output = {"sensitive": False, "type": "string"}
    outputs.write_text(json.dumps({"bucket": {**output, "value": place.bucket}}))
    monkeypatch.delenv("FACEVEIL_BUCKET")
    assert aws("submit", job_id, "--frames", frames) == UsageError.exit_code
    assert "no bucket named: give --bucket or --outputs" in capsys.readouterr().err
    monkeypatch.setenv("FACEVEIL_INSTANCE_TYPE", "ml.m5.large")
    monkeypatch.setenv("FACEVEIL_INSTANCE_COUNT", "2")
    words = ("--frames", frames, "--outputs", outputs, "--instance-count", "5")
    assert aws("submit", job_id, *words) == 0
    machines = {"instance_type": "ml.m5.large", "instance_count": 5}
    assert submitted(place, job_id)["transform"] == machines
    monkeypatch.setenv("FACEVEIL_INSTANCE_COUNT", "some")
    assert aws("submit", job_id, *words) == UsageError.exit_code
    outputs.write_text("{")
    assert aws("submit", job_id, "--outputs", outputs) == InputError.exit_code
    assert "is not what `terraform output -json` prints" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("--instance-type", "ml.c5.larg"), UsageError, "do not run on it; try ml.c"),
        (("--instance-type", "ml.t3.medium"), UsageError, "transform jobs do not run on it"),
        (("--keep", "nowhere"), InputError, "nor a person of this name among those uploaded"),
        (("--keep-at", "1:2,3", "--nobody"), UsageError, "choose one"),
        (("--keep-identity", "1", "--accept", "0.1", "--uncertain", "0.2"), InputError, "accept"),
        (("--veil", "stars"), InputError, "veil.style"),
        (("--crf", "20"), UsageError, "add --video"),
        (("--video", "out.avi", "--rate", "25"), InputError, "output.video.key"),
        (("--video", "out"), InputError, "frames.rate: is missing"),
        (("--between", "0:01-0:02", "--keep-at", "1:2,3"), InputError, "frames.rate: is missing"),
    ],
)
def test_what_makes_no_sense_is_answered_and_not_written(
    aws, place, job_id, frames, capsys, words, error, said
):
    assert aws("submit", job_id, "--frames", frames, *words) == error.exit_code
    assert said in capsys.readouterr().err
    assert place.folder(f"jobs/{job_id}").find("job.json") is None


def test_frames_that_are_not_there_are_missed(aws, place, job_id, capsys):
    assert aws("submit", job_id) == InputError.exit_code
    assert "upload them first" in capsys.readouterr().err
    assert aws("submit", job_id, "--frames", "none here/") == InputError.exit_code
    assert "holds no frames" in capsys.readouterr().err
    for verb in ("watch", "download"):
        words = (job_id, "somewhere") if verb == "download" else (job_id,)
        assert aws(verb, *words) == InputError.exit_code
        assert "there is no such job" in capsys.readouterr().err


def test_a_rate_is_told_of_pictures_and_known_of_videos(aws, place, job_id, tmp_path, capsys):
    (tmp_path / "img1.png").write_bytes(encoded(1))
    assert aws("upload", tmp_path, "--job", job_id) == 0
    words = ("--between", "0:00-0:01", "--keep-at", "0:1,1")
    assert aws("submit", job_id, *words) == InputError.exit_code
    assert "frames.rate: is missing" in capsys.readouterr().err
    assert aws("submit", job_id, *words, "--rate", "25") == 0
    assert submitted(place, job_id)["frames"]["rate"] == "25"
    other, video = f"{job_id}-video", tmp_path / "talk.mp4"
    write_video(make_clip(160, 96, frame_count=4), video)
    assert aws("upload", video, "--job", other) == 0
    assert aws("submit", other, *words, "--rate", "30") == UsageError.exit_code
    assert "the video that was uploaded has 25" in capsys.readouterr().err
    assert aws("submit", other, *words) == 0
    assert submitted(place, other)["frames"]["rate"] == "25"


def test_what_s3_refuses_is_told(aws, job_id, frames, capsys, reader_credentials, tmp_path):
    words = ("--frames", frames)
    assert aws("submit", job_id, *words) == OutputError.exit_code
    assert "access denied" in capsys.readouterr().err
    (tmp_path / "img1.png").write_bytes(encoded(1))
    assert aws("upload", tmp_path, "--job", job_id) == OutputError.exit_code
    assert "access denied" in capsys.readouterr().err
    nowhere = ("--bucket", "no-such-bucket-of-ours")
    assert aws("submit", job_id, *words, *nowhere) == InputError.exit_code
    assert "there is no such bucket here" in capsys.readouterr().err
    assert aws("submit", job_id, *words, "--bucket", "No Bucket") == UsageError.exit_code
    assert "'No Bucket' is not the name of a bucket" in capsys.readouterr().err


def test_without_boto3_the_command_says_what_to_install(tmp_path):
    (tmp_path / "boto3.py").write_text("raise ModuleNotFoundError('no', name='boto3')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    words = [sys.executable, "-m", "faceveil", "aws"]
    for verb in (["submit", "talk"], ["estimate", "--frames", "9"], ["build-images"]):
        done = subprocess.run(
            [*words, *verb], env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (UsageError.exit_code, "")
        assert "pip install 'faceveil[aws]'" in done.stderr
    assert subprocess.run([*words, "--help"], env=environment, check=False).returncode == 0


def test_help_is_light_and_an_interruption_says_how_to_go_on(monkeypatch, capsys):
    code = "import sys; from faceveil.cli.main import build_parser as b; b(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"boto3", "botocore", "numpy", "av", "cv2", "onnxruntime", "jsonschema"}
    assert not heavy & set(loaded.stdout.split())

    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("faceveil.cli.aws.watch.run_watch", interrupted)
    assert main(["aws", "watch", "talk"]) == 130
    assert "run the same command again to continue" in capsys.readouterr().err
