"""Several inputs, folders of videos and single pictures, as a user veils them."""

import json
from argparse import Namespace

import numpy as np
import pytest
from PIL import Image as Picture

from faceveil.cli import many
from faceveil.cli.main import main
from faceveil.cli.many import Work, works_of
from faceveil.errors import UsageError
from testkit.clips import make_clip, write_frames, write_video
from testkit.portraits import portrait_path


def options_for():
    """What `veil_each` asks of the options of a command."""
    sides = dict.fromkeys(many.SIDE_OUTPUTS)
    return Namespace(overwrite=False, quiet=True, progress="none", dry_run=False, **sides)


def run(*words):
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def clip():
    return make_clip(240, 136, frame_count=12)


@pytest.fixture
def folder(clip, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.mp4", "b.mkv"):
        write_video(clip, tmp_path / "in" / name)
    return tmp_path / "in"


def test_a_folder_of_videos_is_veiled_and_continued(folder, tmp_path, capsys):
    (folder / "broken.mp4").write_bytes(b"no video")
    words = ("veil", folder, "--output-dir", tmp_path / "out", "--detector", "mtcnn")
    assert run(*words) == 3
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("faceveil: ")]
    assert [line.split(": ")[1] for line in lines] == [
        str(folder / name) for name in ("a.mp4", "b.mkv", "broken.mp4")
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.mp4", "b.mkv"]
    times = [path.stat().st_mtime_ns for path in sorted((tmp_path / "out").iterdir())]
    (folder / "broken.mp4").unlink()
    assert run(*words) == 0
    assert capsys.readouterr().err.count("skipped") == 2
    assert times == [path.stat().st_mtime_ns for path in sorted((tmp_path / "out").iterdir())]


def test_the_worst_exit_code_is_that_of_a_face_that_shows(capsys, tmp_path):
    codes = iter([3, 4, 5, 0])
    works = [Work(tmp_path / str(n), tmp_path / f"o{n}") for n in range(4)]
    options = options_for()
    assert many.veil_each(works, options, lambda *_: next(codes)) == 4


def test_an_error_that_is_not_ours_does_not_stop_the_others(capsys, tmp_path):
    works = [Work(tmp_path / str(n), tmp_path / f"o{n}") for n in range(2)]
    options = options_for()

    def veil(_, work):
        if work.input.name == "0":
            raise ZeroDivisionError("x")
        return 0

    assert many.veil_each(works, options, veil) == 1
    assert "unexpected error" in capsys.readouterr().err


def test_two_inputs_never_share_an_output(tmp_path):
    for part in ("a", "b"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "x.mp4").touch()
    with pytest.raises(UsageError, match="two folders"):
        works_of([tmp_path / "a", tmp_path / "b" / "x.mp4"], tmp_path / "out")
    with pytest.raises(UsageError, match="another folder than the inputs"):
        works_of([tmp_path / "a"], tmp_path / "a")


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        (["c.wmv"], ["c.mp4"]),
        (["c.wmv", "c.avi"], ["c.avi.mp4", "c.wmv.mp4"]),
        (["c.wmv", "c.mp4"], ["c.mp4", "c.wmv.mp4"]),
        (["c.ts", "c.webm", "c.M4V", "c.m2ts"], ["c.M4V", "c.m2ts", "c.ts", "c.webm"]),
        (["c.vob", "c.jpg"], ["c.jpg", "c.mp4"]),
    ],
)
def test_an_output_keeps_its_container_where_that_is_written(inputs, outputs, tmp_path):
    works = works_of([tmp_path / name for name in inputs], tmp_path / "out")
    assert sorted(work.output.name for work in works) == outputs
    for name in inputs:
        (tmp_path / name).touch()
    alone = [works_of([tmp_path / name], tmp_path / "out")[0].output.name for name in inputs]
    assert sorted(alone) == outputs


def test_each_of_several_inputs_has_reports_of_its_own(folder, tmp_path, capsys):
    """They are in folders, and an attempt that failed does not stop the next one."""
    words = ["veil", folder, "--output-dir", tmp_path / "out", "--detector", "mtcnn", "--quiet"]
    side = tmp_path / "side"
    for flag in ("--report", "--analysis", "--contact-sheet", "--features", "--keyframes"):
        words += [flag, side]
    words += ["--crops", side, "--matte", side]
    side.mkdir()
    (side / "a.mp4.report.json").write_text("of an attempt that failed")
    assert run(*words) == 0
    endings = (".analysis.json", ".features.npz", ".keyframes.json", ".matte.mov", ".report.json")
    endings += (".sheet.png",)
    names = {path.name for path in side.iterdir() if path.is_file()}
    assert names == {f"{name}{ending}" for name in ("a.mp4", "b.mkv") for ending in endings}
    report = json.loads((side / "a.mp4.report.json").read_text())
    assert report["output"]["name"] == "a.mp4"
    assert run("veil", folder, "--output-dir", tmp_path / "o2", "--report", "r.json") == 2
    assert "NAME.report.json" in capsys.readouterr().err


def test_what_a_folder_of_videos_holds_besides_them_is_named(folder, tmp_path, capsys):
    (folder / "cover.jpg").write_bytes(b"x")
    (folder / "sub").mkdir()
    assert run("veil", folder, "--output-dir", tmp_path / "out", "--dry-run") == 0
    said = capsys.readouterr().err
    assert "cover.jpg: left out" in said
    assert "sub: left out" in said


@pytest.mark.parametrize(
    "words",
    [
        ("veil", "a.mp4"),
        ("veil", "a.mp4", "b.mp4", "c.mp4"),
    ],
)
def test_how_many_paths_make_sense(words, capsys):
    assert run(*words) == 2
    assert "--output-dir" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("veil", "", "o.mp4"), ("veil", "a.mp4", "o.mp4", "--keep", "")])
def test_an_empty_path_is_wrong_usage(words, capsys):
    with pytest.raises(SystemExit) as ended:
        run(*words)
    assert ended.value.code == 2
    assert "empty" in capsys.readouterr().err


def test_a_single_picture(tmp_path, capsys):
    photo = tmp_path / "photo.jpg"
    Picture.open(portrait_path("obama")).convert("RGB").resize((256, 320)).save(photo)
    assert run("veil", photo, tmp_path / "out.jpeg", "--quiet") == 0
    before, after = (np.asarray(Picture.open(path)) for path in (photo, tmp_path / "out.jpeg"))
    assert before.shape == after.shape
    assert 0.02 < (before != after).any(axis=2).mean() < 0.9
    assert run("veil", photo, tmp_path / "out.png", "--quiet") == 2
    assert "keeps its format" in capsys.readouterr().err
    assert run("veil", photo, photo, "--quiet", "--overwrite") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jpeg", "photo.jpg"]


def test_a_folder_of_frames_among_several_inputs(clip, tmp_path):
    write_frames(clip, tmp_path / "frames")
    words = ("--output-dir", tmp_path / "out", "--detector", "mtcnn", "--quiet")
    assert run("veil", tmp_path / "frames", *words) == 0
    assert len(list((tmp_path / "out" / "frames").iterdir())) == 12


def test_names_that_are_long_or_not_utf_8(clip, tmp_path):
    """Such names come from other systems; nothing about them may stop a run or lose its output."""
    video = tmp_path / "caf\udce9.mp4"
    write_video(clip, tmp_path / "plain.mp4")
    (tmp_path / "plain.mp4").rename(video)
    words = ("--detector", "mtcnn", "--quiet", "--report", tmp_path / "r.json")
    out = tmp_path / "out\udce9.mp4"
    assert run("veil", video, out, *words, "--analysis", tmp_path / "a.json") == 0
    assert out.exists()
    assert "out\\\\xe9.mp4" in (tmp_path / "r.json").read_text()
    long = tmp_path / ("n" * 251 + ".mp4")
    assert run("veil", video, long, *words[:3]) == 0
    assert long.exists()
    assert run("veil", video, tmp_path / ("n" * 252 + ".mp4"), *words[:3]) == 5
