"""Frames brought into a bucket by `faceveil aws upload`, over a real S3 (SeaweedFS)."""

import json
import signal
import subprocess
import sys
import time

import pytest
from s3_media import encoded

from clips import make_clip, write_video
from faceveil.errors import InputError
from faceveil.media.folder import FolderSource

FRAMES = 12


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "talk – æøå.mp4"
    write_video(make_clip(160, 96, frame_count=FRAMES), path)
    return path


@pytest.fixture
def pictures(tmp_path):
    """A folder of pictures whose name has a space, and whose pictures have letters of Norwegian."""
    folder = tmp_path / "my frames"
    folder.mkdir()
    for number in range(5):
        (folder / f"bilde æ {number + 7:04d}.png").write_bytes(encoded(number))
    return folder


def objects(place, prefix):
    folder = place.folder(prefix)
    names = [item.name for page in folder.pages(recursive=True) for item in page]
    return {name: folder.read(name) for name in names}


def etags(place, prefix):
    return {item.name: item.etag for page in place.folder(prefix).pages() for item in page}


def note(place, job_id):
    return json.loads(place.read(f"jobs/{job_id}/source/upload.json"))


def test_a_video_becomes_numbered_pictures_and_a_note_that_says_so(
    aws, video, place, job_id, tmp_path
):
    assert aws("upload", video, "--job", job_id, "--format", "png", "--with-video") == 0
    frames = objects(place, f"frames/{job_id}/")
    assert sorted(frames) == [f"img{number + 1:07d}.png" for number in range(FRAMES)]
    folder = tmp_path / "same"
    folder.mkdir()
    for name, content in frames.items():
        (folder / name).write_bytes(content)
    told = note(place, job_id)
    assert (told["frames"], told["rate"]) == (FRAMES, "25")
    assert told["digest"] == FolderSource(folder).digest()
    assert place.read(told["source_video"]) == video.read_bytes()
    assert told["source_video"] == f"jobs/{job_id}/source/{video.name}"


def test_what_is_there_is_not_sent_again(aws, video, place, job_id, faulty, monkeypatch):
    assert aws("upload", video, "--job", job_id) == 0
    before = etags(place, f"frames/{job_id}/")
    assert {name[-4:] for name in before} == {".jpg"}
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", faulty.url)
    assert aws("upload", video, "--job", job_id) == 0
    assert etags(place, f"frames/{job_id}/") == before
    assert faulty.requests["PUT"] == 1  # the note


@pytest.mark.slow
def test_an_upload_that_was_killed_goes_on_and_ends_with_the_same_objects(
    aws, place, job_id, tmp_path
):
    clip = tmp_path / "long.mp4"
    write_video(make_clip(320, 180, frame_count=150), clip)
    assert aws("upload", clip, "--job", f"{job_id}-whole") == 0
    words = ["upload", str(clip), "--job", job_id, "--quiet", "--workers", "1"]
    process = subprocess.Popen([sys.executable, "-m", "faceveil.cli", "aws", *words])
    frames = f"frames/{job_id}/"
    while len(etags(place, frames)) < 10 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    sent = etags(place, frames)
    assert 10 <= len(sent) < 150
    assert place.folder(f"jobs/{job_id}").find("source/upload.json") is None
    assert aws("submit", job_id) == InputError.exit_code
    assert aws("upload", clip, "--job", job_id) == 0
    assert objects(place, frames) == objects(place, f"frames/{job_id}-whole/")
    assert note(place, job_id)["digest"] == note(place, f"{job_id}-whole")["digest"]
