"""Each handler that Terraform names is in what the image holds, and needs nothing else there."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from testkit import PROJECT

HANDLERS = sorted(
    set(
        re.findall(
            r'"(postprocess_lambda\.\w+\.handler)"',
            (PROJECT / "terraform/functions.tf").read_text(),
        )
    )
)


@pytest.fixture(scope="module")
def image_root(tmp_path_factory):
    """The folders that the Dockerfile copies into the post-processing image."""
    recipe = (PROJECT / "Dockerfile").read_text()
    stage = recipe[recipe.index("FROM base AS postprocess\n") :].partition("\nFROM ")[0]
    root = tmp_path_factory.mktemp("image")
    for folder in re.findall(r"^COPY (\w+)/ /opt/faceveil/\1/$", stage, re.M):
        shutil.copytree(
            PROJECT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "static")
        )
    assert {path.name for path in root.iterdir()} == {"faceveil", "postprocess_lambda"}
    return root


def test_terraform_names_handlers():
    assert len(HANDLERS) == 5


def test_every_handler_can_be_imported_from_the_image(image_root):
    """Without the variables of a deployment: AWS imports a function before it has an event."""
    program = """
import importlib, json, sys
names = json.loads(sys.argv[1])
for name in names:
    module, _, function = name.rpartition(".")
    assert callable(getattr(importlib.import_module(module), function)), name
    assert importlib.import_module(module).__file__.startswith(sys.argv[2]), name
"""
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(HANDLERS), str(image_root)],
        cwd=image_root,
        env={"PYTHONPATH": str(image_root), "PATH": "/usr/bin:/bin", "AWS_REGION": "eu-west-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_entrypoint_knows_the_words_that_batch_and_processing_give(image_root):
    batch = (PROJECT / "terraform" / "batch.tf").read_text()
    assert '"chunk"' in batch
    for words in (["chunk"], ["analyse"], ["finish"], ["host"]):
        done = subprocess.run(
            [sys.executable, "-m", "postprocess_lambda", *words, "--help"],
            cwd=image_root,
            env={"PYTHONPATH": str(image_root), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert f"faceveil-postprocess {words[0]}" in done.stdout
