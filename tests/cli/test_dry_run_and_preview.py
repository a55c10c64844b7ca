"""What is said before a run, and a run of a few seconds."""

import av
import pytest

from faceveil.cli.main import main
from testkit.clips import make_clip, write_video


def run(*words):
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "talk.mp4"
    write_video(make_clip(240, 136, frame_count=25), path, repeat=6)
    return path


def test_a_dry_run_says_all_and_writes_nothing(video, tmp_path, capsys):
    words = ("veil", video, tmp_path / "o.mp4", "--report", tmp_path / "r.json", "--dry-run")
    assert run(*words) == 0
    said = capsys.readouterr().out
    for word in ("frames of 240 x 136", "o.mp4: the output", "r.json: the report", "everyone"):
        assert word in said
    assert "minutes for the analysis" in said
    assert list(tmp_path.iterdir()) == []
    assert run("veil", video, "--output-dir", tmp_path / "new", "--dry-run") == 0
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "o.mp4").touch()
    assert run(*words) == 5


def test_a_preview_is_a_few_veiled_seconds(video, tmp_path):
    words = ("veil", video, tmp_path / "o.mp4", "--preview", "2s", "--quiet")
    assert run(*words) == 0
    with av.open(str(tmp_path / "o.mp4")) as container:
        count = sum(1 for _ in container.decode(video=0))
    assert 25 <= count <= 110
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]
    assert run("veil", tmp_path, tmp_path / "o2/", "--preview", "2s", "--quiet") == 2
