"""No run loses a file: every path is checked before work, links followed and inodes compared."""

import os

import pytest

from faceveil.errors import InputError, OutputError, UsageError
from faceveil.paths import (
    NAME_BYTES,
    Kind,
    Written,
    check_paths,
    check_room,
    temporary_beside,
    with_ending,
    written_paths,
)


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "talk.mp4"
    path.write_bytes(b"video")
    return path


def report(path):
    return Written("the report", path)


def test_new_outputs_beside_the_input_are_fine(video, tmp_path):
    check_paths([video], written_paths(output=tmp_path / "o.mp4", report=tmp_path / "r.json"))


@pytest.mark.parametrize("kind", ["same", "relative", "symlink", "hard link", "folder link"])
def test_an_input_is_never_written_over_under_any_name(kind, video, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "other.json"
    if kind == "same":
        other = video
    elif kind == "relative":
        other = type(video)("talk.mp4")
    elif kind == "symlink":
        other.symlink_to(video)
    elif kind == "hard link":
        other.hardlink_to(video)
    else:
        (tmp_path / "link").symlink_to(tmp_path)
        other = tmp_path / "link" / "talk.mp4"
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="this is an input"):
            check_paths([video], [report(other)], overwrite=overwrite)
    assert video.read_bytes() == b"video"


def test_two_outputs_are_two_files(video, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="is both the output and the report"):
        check_paths(
            [video],
            written_paths(output=tmp_path / "o.mp4", report=tmp_path / "link" / "o.mp4"),
        )


def test_outputs_lie_outside_the_folders_of_inputs_and_outputs(tmp_path):
    frames, output = tmp_path / "frames", tmp_path / "veiled"
    frames.mkdir()
    output.mkdir()
    with pytest.raises(UsageError, match="inside the input folder"):
        check_paths([frames], [report(frames / "r.json")])
    with pytest.raises(UsageError, match="which is the output"):
        check_paths([frames], written_paths(output=output, contact_sheet=output / "sheet.png"))
    with pytest.raises(UsageError, match="holds the input"):
        check_paths([frames], written_paths(output=tmp_path))


def test_what_exists_is_kept_unless_it_is_to_be_overwritten(video, tmp_path):
    older = tmp_path / "r.json"
    older.write_text("{}")
    with pytest.raises(OutputError, match="--overwrite"):
        check_paths([video], [report(older)])
    check_paths([video], [report(older)], overwrite=True)
    dangling = tmp_path / "dangling.json"
    dangling.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="exists already"):
        check_paths([video], [report(dangling)])


def test_kinds_are_not_mixed_up(video, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(UsageError, match="is a folder; name a file"):
        check_paths([video], [report(folder)], overwrite=True)
    other = tmp_path / "file"
    other.touch()
    with pytest.raises(UsageError, match="is a file; name a folder"):
        check_paths([video], [Written("the crops", other, Kind.FOLDER)], overwrite=True)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="no regular file"):
        check_paths([video], [report(tmp_path / "pipe")], overwrite=True)


def test_places_that_cannot_be_written_are_refused(video, tmp_path, monkeypatch):
    with pytest.raises(OutputError, match="does not exist"):
        check_paths([video], [report(tmp_path / "none" / "r.json")])
    with pytest.raises(OutputError, match="does not exist"):
        check_paths([video], [report(video / "r.json")])
    with pytest.raises(OutputError, match="longer than the 255 bytes"):
        check_paths([video], [report(tmp_path / ("å" * 130))])
    with pytest.raises(OutputError, match=r"the report needs about 1,000.* GB.* GB are free in"):
        check_room(tmp_path / "r.json", 10**18, "the report")
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK)
    with pytest.raises(OutputError, match="may not be written to"):
        check_paths([video], [report(tmp_path / "r.json")])


def test_inputs_that_cannot_be_read_are_refused(video, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="there is no such file"):
        check_paths([tmp_path / "none.mp4"], [])
    with pytest.raises(InputError, match="cannot be read"):
        check_paths([tmp_path / ("n" * 300)], [])
    check_paths([type(video)("s3://bucket/frames")], [])
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="permission denied"):
        check_paths([video], [])


@pytest.mark.parametrize(
    "name", ["o.mp4", "n" * 251 + ".mp4", "å" * 125 + ".mp4", "\udcff" * 251, "o." + "n" * 250]
)
def test_names_that_are_made_of_others_are_never_too_long(name, tmp_path):
    path = tmp_path / name
    path.touch()
    for made in (temporary_beside(path), with_ending(path, ".unverified")):
        assert len(os.fsencode(made.name)) <= NAME_BYTES
        made.touch()
    assert temporary_beside(path) != temporary_beside(path)
    if len(path.suffix) < 10:
        assert path.suffix in ("", temporary_beside(path).suffix)
    assert with_ending(path, ".unverified").suffix == ".unverified"
