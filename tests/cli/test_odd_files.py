"""Files as people bring them, each veiled by the whole command: what failed once stays here."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from PIL import Image

from faceveil.cli.main import main
from faceveil.errors import InputError
from faceveil.media.folder import FolderSource
from faceveil.media.pipes import PipedSource
from testkit.clips import make_clip, write_frames, write_video
from testkit.portraits import portrait_path


def veil(*words):
    return main(["veil", *map(str, words), "--detector", "mtcnn", "--progress", "none"])


@pytest.fixture(scope="module")
def clip():
    return make_clip(240, 136, frame_count=6)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.open(portrait_path("obama")).convert("RGB").resize((192, 240)).save(path)
    return path


def test_a_damaged_frame_of_a_folder_leaves_a_gap_and_is_named(clip, tmp_path, capsys):
    """It was exit code 4, which says that a face shows, and the output was removed."""
    folder, out = tmp_path / "frames", tmp_path / "out"
    write_frames(clip, folder)
    frames = sorted(folder.iterdir())
    frames[2].write_bytes(frames[2].read_bytes()[:3000])
    assert veil(folder, f"{out}/", "--analysis", tmp_path / "a.json") == 3
    assert "frame 2 (" in capsys.readouterr().err
    assert sorted(path.name for path in out.iterdir()) == [
        path.name for path in frames if path != frames[2]
    ]
    words = ("verify", out, tmp_path / "a.json", "--input", folder, "--detector", "mtcnn")
    assert main([*map(str, words)]) == 0


@pytest.mark.parametrize("content", ["cut", "text", "video"])
def test_a_picture_that_cannot_be_read_says_which_and_why(content, photo, tmp_path, capsys):
    if content == "cut":
        photo.write_bytes(photo.read_bytes()[:2000])
    elif content == "text":
        photo.write_text("no picture")
    else:
        write_video(make_clip(96, 64, frame_count=4), tmp_path / "v.mp4")
        (tmp_path / "v.mp4").rename(photo)
    assert veil(photo, tmp_path / "o.jpg") == 3
    said = capsys.readouterr().err
    assert "photo.jpg: " in said
    assert "cannot be read as a picture" in said or "is no picture of a known format" in said
    assert "BytesIO" not in said


@pytest.mark.parametrize(
    ("name", "kind"),
    [("x.mp4", "JPEG picture: name it .jpg"), ("x.mkv", "PNG picture"), ("x.pdf", "PDF document")],
)
def test_what_is_no_video_is_told_for_what_it_is(name, kind, photo, tmp_path, capsys):
    """FFmpeg finds a video in a PDF with pictures; everything else in it would be lost."""
    image, path = Image.open(photo), tmp_path / name
    image.save(path, kind.split()[0])
    assert veil(path, tmp_path / "o.mp4") == 3
    assert f"is no video but a {kind}" in capsys.readouterr().err


def test_a_named_pipe_is_read_as_standard_input_is(clip, tmp_path):
    """`faceveil veil <(command) out.mp4`: it was told to be an empty file."""
    write_video(clip, tmp_path / "v.mp4")
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes((tmp_path / "v.mp4").read_bytes()))
    writer.start()
    assert veil(pipe, tmp_path / "o.mp4") == 0
    writer.join()


def test_a_link_to_nothing_is_left_out_for_that_reason(photo):
    folder = photo.parent
    (folder / "lost.jpg").symlink_to("nowhere.jpg")
    (loss,) = FolderSource(folder, stills=True).left_out
    assert str(loss) == "lost.jpg: a file: not kept (it is a link to nothing)"


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_a_signal_in_the_middle_leaves_nothing_behind(name, code, tmp_path):
    """The whole program: its temporary files are gone, the input is as it was."""
    if signal.getsignal(getattr(signal, name)) is signal.SIG_IGN:
        pytest.skip(f"{name} is ignored here, as nohup does, and so the program ignores it, too")
    video = tmp_path / "in" / "talk.mp4"
    video.parent.mkdir()
    (tmp_path / "tmp").mkdir()
    write_video(make_clip(160, 96, frame_count=60), video, repeat=2)
    before = video.read_bytes()
    command = [sys.executable, "-m", "faceveil", "veil", str(video), str(tmp_path / "o.mp4")]
    command += ["--detector", "mtcnn", "--progress", "json", "--preset", "veryslow"]
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if '"render"' in line:
                break
        assert any(path.name.startswith(".o") for path in tmp_path.iterdir())
    finally:
        process.send_signal(getattr(signal, name))
        said = process.communicate(timeout=120)[1]
    assert process.returncode == code
    assert "interrupted; no output was written" in said
    assert "Traceback" not in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "tmp"]
    assert list((tmp_path / "tmp").iterdir()) == []
    assert video.read_bytes() == before


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("photo", "-", "standard output takes a video"),
        ("photo", "o.mp4", "name the output *.jpg"),
        ("-", "o.mp4 --preview 1s", "is no video file of this machine"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    source, target, said, photo, capsys, monkeypatch
):
    """A picture onto standard output was refused after its analysis."""
    monkeypatch.setattr("faceveil.pipeline.analyse_and_decide", None)
    monkeypatch.chdir(photo.parent)
    assert veil(photo if source == "photo" else source, *target.split()) == 2
    assert said in capsys.readouterr().err


def test_a_picture_on_standard_input_is_told_without_the_name_of_a_temporary_file(photo):
    with pytest.raises(InputError, match=r"^standard input: is no video but a JPEG picture"):
        PipedSource(photo.open("rb"))


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("https://example.org/talk.mp4", "addresses are not read: download it"),
        ("file:///talk.mp4", "addresses are not read"),
        ("frames/img%04d.png", "name the folder of the pictures, frames/"),
        ("frames/*.png", "name the folder of the pictures, frames/"),
        ("~/talk.mp4", "the shell did not replace the ~"),
    ],
)
def test_a_name_that_is_no_path_is_told_what_to_do(name, advice, tmp_path, capsys):
    """As FFmpeg is given its inputs; the answer was that there is no such file."""
    assert veil(name, tmp_path / "o.mp4") == 3
    assert advice in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["ppm", "tga", "ico"])
def test_a_picture_of_a_format_that_is_not_read_is_told_as_such(suffix, photo, tmp_path, capsys):
    path = tmp_path / f"a.{suffix}"
    Image.open(photo).save(path)
    assert veil(path, tmp_path / f"o.{suffix}") == 3
    assert "picture: save it as PNG" in capsys.readouterr().err


def test_an_output_that_is_a_link_to_itself_is_replaced(clip, tmp_path):
    """It was an error that is not ours."""
    write_video(clip, tmp_path / "v.mp4")
    (tmp_path / "o.mp4").symlink_to("o.mp4")
    assert veil(tmp_path / "v.mp4", tmp_path / "o.mp4") == 5
    assert veil(tmp_path / "v.mp4", tmp_path / "o.mp4", "--overwrite") == 0
    assert (tmp_path / "o.mp4").is_file()


def test_a_folder_with_a_point_in_its_name_is_told_how_to_name_it(clip, tmp_path, capsys):
    write_frames(clip, tmp_path / "in")
    assert veil(tmp_path / "in", tmp_path / "out.v2") == 2
    assert "a folder of pictures ends in a slash" in capsys.readouterr().err
    assert veil(tmp_path / "in", f"{tmp_path}/out.v2/") == 0
