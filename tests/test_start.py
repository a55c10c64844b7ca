"""What is imported before there is work for it: the time before the first frame is mostly that."""

import json
import subprocess
import sys

import pytest

HEAVY = {"av", "boto3", "cv2", "jsonschema", "numpy", "onnx", "onnxruntime", "openvino", "PIL",
         "scenedetect", "scipy"}  # fmt: skip
OF_EVERY_FRAME = {"av", "cv2", "numpy", "PIL"}
"""What reading and detecting cannot do without."""


def imported(code: str) -> set[str]:
    """The heavy packages that a program has imported at its end."""
    tell = "import sys, json; print(json.dumps([name.partition('.')[0] for name in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{tell}"], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1])) & HEAVY


@pytest.mark.parametrize("words", [["--help"], ["veil", "--help"], ["weights", "list"]])
def test_a_command_that_shows_no_picture_imports_nothing_heavy(words):
    code = f"""
from faceveil.cli.main import main
try:
    main({words})
except SystemExit:
    pass
"""
    assert imported(code) == set()


def test_the_pipeline_imports_only_what_the_first_frame_needs():
    """Following, filling and joining come later, engines once their networks are opened."""
    assert imported("import faceveil.pipeline") <= OF_EVERY_FRAME
