"""Converted MTCNN networks compute what the package's own definition does."""

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from faceveil.weights.convert_mtcnn import HEADS, build_network
from faceveil.weights.prelu import rewrite_prelu
from faceveil.weights.session import open_session
from faceveil.weights.store import locate
from testkit import mtcnn_reference

SHAPES = {"pnet": (2, 31, 24, 3), "rnet": (3, 24, 24, 3), "onet": (2, 48, 48, 3)}


@pytest.mark.parametrize("name", SHAPES)
def test_same_as_the_package_defines_it(name):
    arrays = mtcnn_reference.random_weights(name)
    pictures = np.random.default_rng(3).uniform(-1, 1, SHAPES[name])
    expected = mtcnn_reference.run(name, arrays, pictures)
    model = rewrite_prelu(build_network(name, arrays))
    feeds = {"input": pictures.transpose(0, 3, 1, 2).astype(np.float32)}
    found = ReferenceEvaluator(model).run(list(HEADS[name]), feeds)
    for head, ours, theirs in zip(HEADS[name], found, expected, strict=True):
        channels_first = np.moveaxis(theirs, -1, 1)
        np.testing.assert_allclose(ours, channels_first, atol=1e-4, err_msg=head)


def test_the_real_weights_answer_probabilities_for_any_size_and_number():
    files = locate("mtcnn", "detector").files
    assert set(files) == {"pnet", "rnet", "onet"}
    rng = np.random.default_rng(0)
    for name, shapes in {
        "pnet": [(1, 3, 12, 12), (1, 3, 100, 37)],
        "rnet": [(1, 3, 24, 24), (7, 3, 24, 24)],
        "onet": [(1, 3, 48, 48), (7, 3, 48, 48)],
    }.items():
        session = open_session(files[name])
        for shape in shapes:
            crops = rng.uniform(-1, 1, shape).astype(np.float32)
            probability, box = session.run({"input": crops}, ["prob", "reg"])
            assert probability.shape[:2] == (shape[0], 2) and box.shape[:2] == (shape[0], 4)
            np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-5)
