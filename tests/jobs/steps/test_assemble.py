"""The veiled frames become a video again: at the source's times, with its audio, in its colours."""

import resource
from multiprocessing import get_context

import av
import numpy as np
import pytest
from PIL import Image as Picture

from faceveil.aws.s3 import S3Location
from faceveil.errors import InputError, OutputError
from faceveil.jobs import state_machine
from faceveil.jobs.steps.assemble import assemble_pictures
from faceveil.media.folder import FolderSource
from faceveil.media.frames import EncodeOptions
from faceveil.media.video import VideoSource
from testkit.clips import make_clip, write_video
from testkit.made_job import PREFIX, MadeJob

FRAMES = 24
VIDEO = {"video": {"key": f"{PREFIX}veiled.mp4", "crf": 4}}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A video with sound, and its frames in a folder."""
    folder = tmp_path_factory.mktemp("source")
    write_video(make_clip(160, 96, frame_count=FRAMES), folder / "talk.mp4")
    (folder / "frames").mkdir()
    for frame in VideoSource(folder / "talk.mp4"):
        name = f"img{frame.number + 1:07d}.png"
        Picture.fromarray(frame.rgb()).save(folder / "frames" / name)
    return folder


def sound(path):
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def test_frames_come_back_at_their_times_with_the_sound(source, tmp_path):
    output = tmp_path / "out.mp4"
    frames = FolderSource(source / "frames")
    assemble_pictures(frames, source / "talk.mp4", output, EncodeOptions(crf=1))
    assert sound(output) == sound(source / "talk.mp4")
    made, original = list(VideoSource(output)), list(VideoSource(source / "talk.mp4"))
    assert [frame.time for frame in made] == [frame.time for frame in original]
    for got, picture in zip(made, frames, strict=True):
        difference = np.abs(got.rgb().astype(int) - picture.rgb())
        assert difference.mean() < 3, "the same colours"


def test_without_a_source_the_job_says_how_fast(source, tmp_path):
    from fractions import Fraction

    output = tmp_path / "out.mp4"
    options = EncodeOptions(rate=Fraction(10))
    assemble_pictures(FolderSource(source / "frames"), None, output, options)
    assert [frame.time for frame in VideoSource(output)][:3] == [0, Fraction(1, 10), Fraction(1, 5)]


@pytest.mark.parametrize("change", ["fewer frames", "more frames", "another size"])
def test_another_video_than_the_frames_were_split_from_is_refused(source, tmp_path, change):
    other = tmp_path / "other.mp4"
    size = (96, 64) if change == "another size" else (160, 96)
    count = {"fewer frames": FRAMES - 1, "more frames": FRAMES + 1}.get(change, FRAMES)
    write_video(make_clip(*size, frame_count=count), other)
    with pytest.raises(InputError, match="source_video"):
        assemble_pictures(
            FolderSource(source / "frames"), other, tmp_path / "out.mp4", EncodeOptions()
        )
    assert not (tmp_path / "out.mp4").exists()


def with_source(made, source):
    made.bucket.write("source/talk.mp4", (source / "talk.mp4").read_bytes())
    made.upload(source_video="source/talk.mp4", output=VIDEO)


def test_a_job_gives_its_video_the_same_each_time(made, source):
    with_source(made, source)
    state_machine.run_whole_job(made.run())
    video = made.place.read("veiled.mp4")
    assert b'"veiled.mp4"' in made.place.read("manifest.json")
    assert made.events[-1].detail["video"] == f"{PREFIX}veiled.mp4"
    path = made.folder / "back.mp4"
    path.write_bytes(video)
    assert sound(path) == sound(source / "talk.mp4")
    made.place.delete(["_SUCCESS", "veiled.mp4"])
    state_machine.run_whole_job(made.run())
    assert made.place.read("veiled.mp4") == video
    assert not list(made.folder.glob("talk-*")), "no temporary file is left"


def _little_room(url, bucket, folder, queue):
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    try:
        state_machine.run_whole_job(MadeJob(S3Location.open(f"s3://{bucket}", url), folder).run())
    except OutputError as problem:
        queue.put(str(problem))


@pytest.mark.slow
def test_out_of_scratch_space_the_job_fails_and_says_so(made, source, s3_url):
    """No room in /tmp, as far as a limit on the size of files can stand for it."""
    with_source(made, source)
    context = get_context("forkserver")
    context.set_forkserver_preload(["faceveil.jobs.state_machine", "testkit.made_job"])
    queue = context.Queue()
    arguments = (s3_url, made.bucket.bucket, made.folder, queue)
    process = context.Process(target=_little_room, args=arguments)
    process.start()
    assert "cannot be written" in queue.get(timeout=60)
    process.join()
    assert made.place.find("error.json")
    assert not made.place.find("_SUCCESS")
    assert not list(made.folder.glob("talk-*"))
