"""Sessions on onnxruntime: what they are of, and calls from several threads."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from faceveil.errors import WeightsError
from faceveil.weights.session import Runtime, open_session


@pytest.fixture
def path(tmp_path, recognizer_bytes):
    path = tmp_path / "net.onnx"
    path.write_bytes(recognizer_bytes)
    return path


def test_a_file_that_is_no_network(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(WeightsError, match=r"net\.onnx"):
        open_session(path)


def test_names_and_shapes(path):
    session = open_session(path)
    assert session.inputs == {"data": (1, 3, 112, 112)}
    assert session.outputs == {"fc1": (1, 4)}


@pytest.mark.parametrize("threads", [1, 2])
def test_one_session_in_several_threads_answers_as_in_one(path, threads):
    session = open_session(path, Runtime(threads=threads))
    pictures = np.random.default_rng(0).normal(0, 1, (40, 1, 3, 112, 112)).astype(np.float32)
    expected = [session.run({"data": picture})[0] for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda picture: session.run({"data": picture}, ["fc1"])[0], pictures))
    np.testing.assert_array_equal(found, expected)


def test_onnxruntime_is_told_not_to_report_before_it_is_loaded():
    code = """
import os, sys
seen = []
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            seen.append(os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.meta_path.insert(0, Watch())
import faceveil.weights.onnxruntime_engine
assert seen == ["1"], seen
"""
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
