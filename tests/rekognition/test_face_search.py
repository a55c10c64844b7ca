"""The whole path on synthetic clips: Rekognition's answers are made of the truth, so that what is
veiled can be compared with it. The video lies in a real S3 server."""

from fractions import Fraction

import av
import numpy as np
import pytest

from faceveil.analysis import read_analysis, write_analysis
from faceveil.cli.main import build_parser, main
from faceveil.errors import InputError, OutputError, UsageError
from faceveil.faces import Provenance
from faceveil.progress import QuietProgress
from faceveil.rekognition.decisions import Wanted
from faceveil.rekognition.video_analysis import PREFIX, open_video, scan, search_video
from faceveil.shots.transitions import TransitionDetector
from faceveil.tracking.track import TrackOptions
from faceveil.veils.styles import VeilStyle
from testkit.clips import make_clip, write_video
from testkit.made_search import MadeRekognition, look, looks_at
from testkit.portraits import portrait_path
from testkit.servers.rekognition_service import Fault
from testkit.truth import coverage_of_analysis, evaluate

SIZE = 480, 270
KEPT = "Barack Obama"
MATCHES = {KEPT: {"person-0": 99.2}, "Joe Biden": None, "Eileen Collins": {}}


@pytest.fixture(scope="module")
def clip():
    return make_clip(*SIZE, frame_count=160, seed=3)


@pytest.fixture(scope="module")
def video(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "talk of today.mp4"
    write_video(clip, path, audio=False)
    return path


@pytest.fixture
def people():
    return {KEPT: [portrait_path("obama")]}


def made_of(clip, interval=12, matches=MATCHES, **options):
    return MadeRekognition(looks_at(clip.truth, interval, matches), SIZE, **options)


class OneShot:
    """No frame starts a new shot."""

    def push(self, thumbnail):
        return (False,)

    def finish(self):
        return ()


def searched(made, service_of, video, people, mode="keep", tracking=True, shots=None, **options):
    with made:
        return search_video(
            open_video(video),
            people,
            service_of(made, **options),
            Wanted(tuple(people), mode),
            shots=shots or TransitionDetector(),
            tracking=TrackOptions() if tracking else None,
        )


def objects(place):
    return [item.name for page in place.folder(PREFIX).pages() for item in page]


def judged(clip, analysis, keep=()):
    coverage = coverage_of_analysis(clip.truth, analysis, VeilStyle())
    return evaluate(clip.truth, coverage, keep)


@pytest.mark.parametrize("interval", [1, 12])
def test_veils_cover_the_truth_and_who_matches_is_kept(clip, video, people, service_of, interval):
    analysis = searched(made_of(clip, interval), service_of, video, people)
    result = judged(clip, analysis, keep=(KEPT,))
    assert result.recall > 0.97, result.missed
    assert result.kept_veiled_share < 0.1, result.kept_veiled
    kept = {decision.person for decision in analysis.decisions if not decision.veil}
    assert kept == {KEPT}
    assert analysis.shot_starts.tolist() == clip.truth.shot_starts.tolist()


def test_pixels_between_two_looks_help(clip, video, people, service_of):
    without = searched(made_of(clip, 12), service_of, video, people, tracking=False)
    recall = judged(clip, without, keep=(KEPT,)).recall
    followed = searched(made_of(clip, 12), service_of, video, people)
    assert judged(clip, followed, keep=(KEPT,)).recall >= recall > 0.9


def test_a_face_is_covered_up_to_the_next_look_and_indexes_are_never_joined(
    video, people, service_of
):
    """Looked at every 20 frames: it may have been there for 19 more. The second index begins where
    the first was, close enough for sequences of our own to be joined."""
    box = (200, 60, 280, 160)
    looks = [look(1000 + 800 * n, 1, box, SIZE) for n in range(2)]
    looks += [look(3400 + 800 * n, 2, box, SIZE) for n in range(3)]
    analysis = searched(
        MadeRekognition(looks, SIZE), service_of, video, people, tracking=False, shots=OneShot()
    )
    assert [(item.first, item.last) for item in analysis.sequences] == [(5, 65), (65, 145)]


def test_only_the_person_is_veiled(clip, video, people, service_of):
    analysis = searched(made_of(clip), service_of, video, people, mode="only")
    veiled = {decision.person for decision in analysis.decisions if decision.veil}
    assert veiled == {KEPT}
    others = {decision.person for decision in analysis.decisions if not decision.veil}
    assert others == {None}


def test_nothing_stays_in_aws(clip, video, people, service_of, place):
    made = made_of(clip)
    searched(made, service_of, video, people)
    assert made.collections == {}
    assert objects(place) == []
    names = made.names()
    assert names[:3] == ["CreateCollection", "IndexFaces", "StartFaceSearch"]
    assert names[-1] == "DeleteCollection"
    started = made.requests[2][1]
    assert started["Video"]["S3Object"]["Name"].startswith(PREFIX)
    assert len(made.looks) > 20


@pytest.mark.parametrize(
    "failing",
    [
        {"status": "FAILED", "message": "the video is empty"},
        {"first": {"StartFaceSearch": [Fault(400, "InvalidS3ObjectException")]}},
        {"first": {"IndexFaces": [Fault(400, "InvalidImageFormatException")]}},
    ],
)
def test_nothing_stays_in_aws_when_it_fails(clip, video, people, service_of, place, failing):
    made = made_of(clip, **failing)
    with pytest.raises(InputError):
        searched(made, service_of, video, people)
    assert made.collections == {}
    assert objects(place) == []


def test_a_video_that_lies_there_already_is_neither_uploaded_nor_deleted(
    clip, video, people, service_of, place
):
    place.upload("talks/today.mp4", video)
    made = made_of(clip)
    searched(made, service_of, video, people, key="talks/today.mp4")
    assert made.requests[2][1]["Video"]["S3Object"]["Name"] == "talks/today.mp4"
    assert place.find("talks/today.mp4") is not None
    place.write("talks/other.mp4", b"another video")
    for key, what in (("talks/other.mp4", "is not this video"), ("talks/none.mp4", "no such")):
        with pytest.raises(InputError, match=what):
            searched(made_of(clip), service_of, video, people, key=key)


def test_nobody_in_the_video(clip, video, people, service_of):
    analysis = searched(MadeRekognition([], SIZE), service_of, video, people)
    assert len(analysis.sequences) == 0
    assert analysis.source.frame_count == 160


def test_another_video_than_ours_is_an_error(video, people, service_of):
    other = MadeRekognition([], (1920, 1080))
    with pytest.raises(InputError, match="is it another one"):
        searched(other, service_of, video, people)


def test_frames_of_a_variable_rate_have_their_own_times(tmp_path, people, service_of):
    """Two seconds at 25 a second, then frames that are shown for a fifth of a second each."""
    clip = make_clip(*SIZE, frame_count=60, seed=1)
    times = [40 * n if n < 50 else 2000 + 200 * (n - 50) for n in range(60)]
    path = tmp_path / "variable.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for picture, time in zip(clip, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    timeline = scan(open_video(path), TransitionDetector(), 2, QuietProgress())
    np.testing.assert_allclose(timeline.times, times, atol=1)
    looks = [look(times[n], 5, (100, 80, 180, 190), SIZE) for n in range(50, 60)]
    analysis = searched(MadeRekognition(looks, SIZE), service_of, path, people, tracking=False)
    assert analysis.detections.frames.tolist() == list(range(50, 60))


def test_what_rekognition_cannot_take_is_said_before_it_is_asked(tmp_path):
    with pytest.raises(UsageError, match=r"\.mp4, \.mov, \.avi"):
        open_video(tmp_path / "talk.mkv")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(InputError, match="empty"):
        open_video(tmp_path / "empty.mp4")


def test_a_damaged_video_is_not_searched(video, tmp_path, people, service_of, clip):
    cut = tmp_path / "cut.mp4"
    content = video.read_bytes()
    cut.write_bytes(content)
    made = made_of(clip)
    source = open_video(cut)
    cut.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    with made, pytest.raises(InputError):
        search_video(source, people, service_of(made), Wanted(tuple(people)))
    assert made.names() == []


def command(*arguments):
    """Run `faceveil aws face-search`; its errors are raised."""
    options = build_parser().parse_args(["aws", "face-search", *map(str, arguments)])
    return options.func(options)


@pytest.fixture
def endpoints(pauses, s3_url, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
    return lambda made: monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", made.url)


def test_the_command_writes_what_render_takes(
    clip, video, busy_bucket, endpoints, tmp_path, capsys
):
    photo, analysis = portrait_path("obama"), tmp_path / "analysis.json"
    with made_of(clip) as made:
        endpoints(made)
        code = command(video, analysis, "--bucket", busy_bucket, "--keep", photo)
    assert code == 0
    assert "160 frames in 4 shots" in capsys.readouterr().err
    found = read_analysis(analysis)
    provenances = np.concatenate([item.provenance for item in found.sequences])
    assert set(provenances.tolist()) >= {Provenance.DETECTED, Provenance.INTERPOLATED}
    assert found.parameters["face_search"]["people"] == [photo.stem]
    output = tmp_path / "out.mp4"
    assert main(["render", str(video), str(analysis), str(output), "--verify-frames", "off"]) == 0
    assert output.is_file()
    again = tmp_path / "again.json"
    write_analysis(found, again)
    assert again.read_bytes() == analysis.read_bytes()


def test_a_dry_run_asks_nothing(aws_credentials, video, tmp_path, capsys):
    photo = portrait_path("obama")
    code = command(
        video, tmp_path / "a.json", "--bucket", "my-bucket", "--keep", photo, "--dry-run"
    )
    assert code == 0
    assert "of 0.1 minutes" in capsys.readouterr().out
    assert not (tmp_path / "a.json").exists()


def test_wrong_usage(aws_credentials, video, tmp_path):
    photo = portrait_path("obama")
    files = video, tmp_path / "a.json", "--bucket", "my-bucket"
    with pytest.raises(UsageError, match="--keep or with --only"):
        command(*files)
    with pytest.raises(UsageError, match="--keep or with --only"):
        command(*files, "--keep", photo, "--only", photo)
    with pytest.raises(UsageError, match="go together"):
        command(*files, "--keep", photo, "--sns-topic", "arn:aws:sns:eu-west-1:123456789012:t")
    with pytest.raises(UsageError, match="within 0 and 100"):
        command(*files, "--keep", photo, "--min-similarity", "70")
    with pytest.raises(OutputError, match="does not exist"):
        command(video, tmp_path / "none" / "a.json", "--bucket", "my-bucket", "--keep", photo)
    with pytest.raises(UsageError, match="no bucket named"):
        command(video, tmp_path / "a.json", "--keep", photo)
