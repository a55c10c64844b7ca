"""Frames brought into a bucket by `faceveil aws upload`, over a real S3 (SeaweedFS)."""

import base64
import hashlib
import json
import signal
import subprocess
import sys
import time

import av
import pytest

from faceveil.aws.inventory import Inventory, same_content
from faceveil.errors import InputError, UsageError
from faceveil.media.folder import FolderSource
from testkit.clips import make_clip, write_video
from testkit.s3_media import encoded

FRAMES = 12


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "talk, æøå.mp4"
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
    process = subprocess.Popen([sys.executable, "-m", "faceveil", "aws", *words])
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


def test_a_folder_is_brought_as_it_is_whatever_its_names(aws, pictures, place, job_id):
    photos = pictures.parent / "Åse Ødegård"
    photos.mkdir()
    (photos / "to photos.png").write_bytes(encoded(99))
    person = f"Åse Ødegård={photos}"
    assert aws("upload", pictures, "--job", job_id, "--person", person) == 0
    expected = {path.name: path.read_bytes() for path in pictures.iterdir()}
    assert objects(place, f"frames/{job_id}/") == expected
    told = note(place, job_id)
    assert (told["frames"], told["rate"], told["source_video"]) == (5, None, None)
    assert told["digest"] == FolderSource(pictures).digest()
    prefix = f"jobs/{job_id}/references/Åse Ødegård/"
    assert told["people"] == {"Åse Ødegård": prefix}
    assert objects(place, prefix) == {"to photos.png": encoded(99)}
    assert aws("submit", job_id, "--keep", "Åse Ødegård", "--only-at", "1:2,3") == 2
    assert aws("submit", job_id, "--keep", "Åse Ødegård") == 0
    job = json.loads(place.read(f"jobs/{job_id}/job.json"))
    assert job["selection"] == {"mode": "keep", "references": {"Åse Ødegård": prefix}}


def test_nothing_is_written_over(aws, pictures, place, job_id, capsys):
    frames = f"frames/{job_id}/"
    place.write(f"{frames}bilde æ 0009.png", b"another video's")
    assert aws("upload", pictures, "--job", job_id) == InputError.exit_code
    assert "exists already and differs from this input" in capsys.readouterr().err
    assert place.read(f"{frames}bilde æ 0009.png") == b"another video's"
    place.folder(frames).delete(["bilde æ 0009.png"])
    place.write(f"{frames}bilde æ 0012.png", encoded(5))  # of a longer one
    assert aws("upload", pictures, "--job", job_id) == InputError.exit_code
    assert "0012.png: exists already" in capsys.readouterr().err
    assert aws("submit", job_id) == InputError.exit_code
    assert "are missing: run the same" in capsys.readouterr().err


def test_a_job_that_is_submitted_gets_no_other_frames(aws, pictures, job_id, capsys):
    assert aws("upload", pictures, "--job", job_id) == 0
    assert aws("submit", job_id) == 0
    assert aws("upload", pictures, "--job", job_id) == InputError.exit_code
    assert "was submitted already" in capsys.readouterr().err


def test_a_dry_run_says_what_would_be_brought(aws, video, place, job_id, capsys):
    words = ("upload", video, "--job", job_id, "--with-video", "--dry-run")
    assert aws(*words) == 0
    said = capsys.readouterr().out
    assert f"would upload {FRAMES} frames of 160 x 96 to s3://" in said
    assert video.name in said
    assert not objects(place, f"frames/{job_id}/") | objects(place, f"jobs/{job_id}/")


def test_a_checksum_tells_where_encryption_makes_an_etag_of_no_content(place, job_id):
    folder = place.folder(job_id)
    folder.write("a.png", b"content")
    (listed,) = Inventory.list(folder).names.values()
    asked = []

    class Encrypted:
        def head_object(self, **request):
            asked.append(request)
            return {
                "ChecksumSHA256": base64.b64encode(hashlib.sha256(b"content").digest()).decode()
            }

    kms = type(place)(Encrypted(), place.bucket, folder.prefix)
    other = listed._replace(etag="0" * 32)
    assert same_content(kms, other, b"content")
    assert not same_content(kms, other, b"kontent")
    assert asked[0]["ChecksumMode"] == "ENABLED"
    asked.clear()
    assert same_content(kms, listed, b"content")
    assert not same_content(kms, listed, b"longer content")
    assert not asked


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--quality", "0"), UsageError.exit_code, "from 1 to 100"),
        (("--person", "A/B=x"), UsageError.exit_code, "a name must have no slash"),
        (("--person", "Ann=nowhere"), InputError.exit_code, "nowhere does not exist"),
        (("--with-video",), UsageError.exit_code, "is a folder, not a video"),
        (("--job", "no/such id"), InputError.exit_code, "job 'no/such id'"),
    ],
)
def test_wrong_words_are_answered(aws, pictures, job_id, capsys, words, code, said):
    assert aws("upload", pictures, "--job", job_id, *words) == code
    assert said in capsys.readouterr().err


def test_a_video_without_frames_is_refused(aws, tmp_path, job_id, capsys):
    empty = tmp_path / "empty.mp4"
    with av.open(str(empty), "w") as container:
        container.add_stream("libx264", 25).width = 64
    assert aws("upload", empty, "--job", job_id) == InputError.exit_code
    empty.write_bytes(b"")
    assert aws("upload", empty, "--job", job_id) == InputError.exit_code
    (tmp_path / "nothing").mkdir()
    assert aws("upload", tmp_path / "nothing", "--job", job_id) == InputError.exit_code
    assert "holds no pictures" in capsys.readouterr().err
