"""`faceveil doctor` and `faceveil completion`."""

import os
import subprocess
import sys

import pytest

from faceveil.cli.main import main


def test_a_machine_with_all_networks_is_well(capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for word in ("faceveil 0", "onnxruntime", "mtcnn (MIT", "GB free", "encoder libx264"):
        assert word in said
    assert "MISSING" not in said


def test_missing_networks_are_named_with_what_to_do(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("FACEVEIL_WEIGHTS", str(tmp_path))
    assert main(["doctor"]) == 1
    missing = [line for line in capsys.readouterr().out.splitlines() if "MISSING" in line]
    assert any("faceveil weights fetch mtcnn" in line for line in missing)


def test_without_credentials_aws_is_missing(capsys, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert main(["doctor", "--aws"]) == 1
    assert "no valid credentials" in capsys.readouterr().out


def test_doctor_and_weights_name_the_engine_of_each_network(capsys):
    assert main(["doctor"]) == 0
    assert "engine of centerface: onnxruntime" in capsys.readouterr().out
    assert main(["weights", "engines"]) == 0
    said = capsys.readouterr().out
    assert "engines    onnxruntime" in said
    assert "centerface  onnxruntime" in said


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell, capsys):
    assert main(["completion", shell]) == 0
    assert "faceveil" in capsys.readouterr().out


def test_the_shell_is_answered():
    """As bash asks: the line, the cursor, and descriptor 8 for the answer."""
    line = "faceveil ana"
    environment = {
        **os.environ,
        "_ARGCOMPLETE": "1",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE_STDOUT_FILENAME": "/dev/stdout",
    }
    done = subprocess.run(
        [sys.executable, "-m", "faceveil"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "analyse" in done.stdout
