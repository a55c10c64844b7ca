"""The scan of what tests publish sees a planted picture, whichever way it was published."""

import io
import subprocess
import sys

import av
import pytest

from faceveil.aws.s3 import S3Location
from faceveil.files import replace_file
from faceveil.media import folder_sink
from faceveil.media.containers import CONTAINERS
from faceveil.media.folder import SUFFIXES
from faceveil.media.open import open_sink, open_source
from faceveil.media.picture_encode import Encoded
from testkit.clips import make_clip, write_video
from testkit.laden_pictures import LADEN, PICTURE, SECRET, SECRET_JPEG, saved
from testkit.programs import sitecustomize
from testkit.published import Published, hidden_in

SHOWN_BY_NOTHING = (
    *("JFIF thumbnail.jpg", "FlashPix.jpg", "unknown segment.jpg"),
    *("unknown chunk.png", "unknown chunk.webp", "reduced page.tif"),
)
"""Bare samples, which no scan can tell from the samples of the picture."""


@pytest.mark.parametrize("name", LADEN)
def test_a_picture_in_a_picture_is_found(name):
    assert hidden_in(LADEN[name]()) or name in SHOWN_BY_NOTHING


@pytest.mark.parametrize("suffix", ["png", "gif", "webp", "tiff", "avif"])
def test_more_pages_than_were_looked_at_are_found(suffix):
    content = saved(PICTURE, suffix, save_all=True, append_images=[SECRET.resize(PICTURE.size)])
    assert hidden_in(content, 1) == ["2 pictures, of which 1 were looked at"]
    assert hidden_in(content, 2) == []


def test_views_are_pages_and_a_picture_behind_them_is_not():
    content = saved(PICTURE, "MPO", save_all=True, append_images=[SECRET])
    assert hidden_in(content, 2) == []
    assert hidden_in(content, 1) != []
    assert hidden_in(content + SECRET_JPEG, 2) != []


@pytest.mark.parametrize("what", ["nothing", "a picture", "an attached picture", "videos", "data"])
def test_what_a_video_holds_beside_its_frames_is_found(what, tmp_path):
    write_video(make_clip(96, 64, frame_count=4), tmp_path / "v.mkv")
    stream = io.BytesIO()
    with av.open(str(tmp_path / "v.mkv")) as before, av.open(stream, "w", "matroska") as after:
        (video,) = before.streams.video
        copies = [after.add_stream_from_template(video)]
        if what == "videos":
            copies.append(after.add_stream_from_template(video))
        if what == "an attached picture":
            after.add_attachment("cover.jpg", "image/jpeg", SECRET_JPEG)
        if what == "data":
            after.metadata["comment"] = SECRET_JPEG.hex()
        for packet in before.demux(video):
            if packet.dts is not None:
                for copy in copies:
                    packet.stream = copy
                    after.mux(packet)
    content = stream.getvalue() + (SECRET_JPEG if what == "a picture" else b"")
    assert bool(hidden_in(content)) == (what != "nothing")


def test_the_names_that_are_scanned_are_all_that_are_written():
    assert {*SUFFIXES, *CONTAINERS} == {*sitecustomize.SUFFIXES}


def test_a_file_that_appears_under_its_name_is_scanned(published, tmp_path):
    replace_file(tmp_path / "a.jpg", saved(PICTURE, "JPEG"))
    assert published.scan() == []
    replace_file(tmp_path / "a.jpg", LADEN["picture behind.jpg"]())
    (found, *_) = published.scan()
    assert found.startswith(f"{tmp_path / 'a.jpg'}: JPEG 64 x 48 at ")
    assert published.scan() == [], "each test answers for its own"


def test_a_file_of_a_program_is_scanned_though_it_is_gone(published: Published, tmp_path):
    path = tmp_path / "a.jpg"
    (tmp_path / "laden").write_bytes(LADEN["EXIF thumbnail.jpg"]())
    code = "import pathlib, sys, faceveil.files as f; path = pathlib.Path(sys.argv[1]);"
    code += "f.replace_file(path, path.with_name('laden').read_bytes()); path.unlink()"
    subprocess.run([sys.executable, "-c", code, path], check=True)
    assert not path.exists()
    assert len(published.scan()) == 2, "the thumbnail as such, and as a JPEG"


def test_a_picture_of_which_only_the_first_page_was_looked_at_is_found(
    published, tmp_path, monkeypatch
):
    """The fault that the policy began with: a file copied as it was, its other pages unseen."""
    folder = tmp_path / "in"
    folder.mkdir()
    PICTURE.save(folder / "a.png")
    several = saved(PICTURE, "PNG", save_all=True, append_images=[SECRET.resize(PICTURE.size)])
    monkeypatch.setattr(folder_sink, "encode_frame", lambda *_: Encoded(several))
    source = open_source(folder, stills=True)
    with open_sink(tmp_path / "out", source) as sink:
        for frame in source:
            sink.write(frame, changed=False)
    assert published.scan() == [f"{tmp_path}/out/a.png: 2 pictures, of which 1 were looked at"]


def test_what_s3_copied_is_scanned(published, s3, busy_bucket, prefix):
    """It was copied without being downloaded, so the scan downloads it."""
    place = S3Location.open(prefix, s3.meta.endpoint_url)
    place.folder("in").write("a.jpg", LADEN["movie behind.jpg"]())
    listed = place.folder("in").find("a.jpg")
    place.folder("out").copy(place.folder("in"), listed)
    assert any("/out/a.jpg in S3: movie at" in found for found in published.scan(s3))
