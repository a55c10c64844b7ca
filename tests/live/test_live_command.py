"""`faceveil live` as a user starts and stops it, with the real networks."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from faceveil.cli import live
from faceveil.cli.main import build_parser, main
from faceveil.detect.build import AnalyzerOptions
from testkit.clips import make_clip, write_video
from testkit.marked_faces import pictures
from testkit.servers.processes import free_ports

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "talk.mp4"
    write_video(make_clip(320, 180, 50), path)
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_completes_the_output_and_is_no_failure(clip, tmp_path, number):
    """The state is told every second, and the metrics answer while it runs."""
    output = tmp_path / "out.mp4"
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "faceveil", "live", str(clip), str(output), "--loop"]
    command += ["--progress", "json", "--metrics", str(port), "--recognizer", "none"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if json.loads(line)["frames_out"] > 60:
                break
        process.send_signal(number)
        assert process.wait(60) == 0
    assert len(list(pictures(output))) > 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["SAME"], "is the source"),
        (["out.avi"], "a slash at its end for HLS"),
        (["out.mp4", "--delay", "0.1"], "must be 0.3 to 10 seconds"),
        (["out.mp4", "--listen"], "only an address can be listened at"),
        (["out.mp4", "--keep", "nothing.jpg"], "does not exist"),
    ],
)
def test_what_cannot_work_is_refused_before_the_stream_is_opened(
    clip, tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    sink = str(clip) if arguments[0] == "SAME" else arguments[0]
    assert main(["live", str(clip), sink, *arguments[1:]]) != 0
    assert message in capsys.readouterr().err
    assert list(Path(tmp_path).iterdir()) == []


def test_nothing_biometric_is_computed_where_everyone_is_veiled():
    """The precision stays: between sampled frames, bfloat16 was not measured to do as well."""

    def networks(*words):
        return live._networks_of(build_parser().parse_args(["live", "a.mp4", "b.mp4", *words]))

    everyone = networks()
    assert (everyone.recognizer, everyone.everyone_veiled) == ("none", False)
    for words in (["--keep", "her.jpg"], ["--keep-foreground"], ["--page"]):
        chosen = networks(*words)
        assert chosen.recognizer == AnalyzerOptions().recognizer, words
        assert not chosen.everyone_veiled, words
