"""The PReLU rewrite gives the same numbers, and leaves alone what it must not touch."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from faceveil.weights.onnx_graph import GraphBuilder
from faceveil.weights.prelu import rewrite_prelu


def network(slopes, shape=(-1, 1, 1)):
    graph = GraphBuilder("prelu")
    slope = graph.weights(np.asarray(slopes).reshape(shape))
    value = graph.add("Conv", "input", graph.weights(np.eye(len(slopes))[:, :, None, None]))
    graph.add("PRelu", value, slope, output="answer")
    channels = len(slopes)
    return graph.model({"input": (1, channels, 3, 3)}, {"answer": (1, channels, 3, 3)})


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(-2, 2, width=32), min_size=2, max_size=6),
    st.integers(0, 2**32 - 1),
)
def test_same_numbers_without_a_prelu(slopes, seed):
    picture = np.random.default_rng(seed).normal(0, 30, (1, len(slopes), 3, 3))
    picture = picture.astype(np.float32)
    model = network(slopes)
    (expected,) = ReferenceEvaluator(model).run(None, {"input": picture})
    rewritten = rewrite_prelu(onnx.ModelProto.FromString(model.SerializeToString()))
    assert "PRelu" not in {node.op_type for node in rewritten.graph.node}
    onnx.checker.check_model(rewritten, full_check=True)
    (found,) = ReferenceEvaluator(rewritten).run(None, {"input": picture})
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_slopes_without_axes_after_a_convolution_mean_channels():
    """Old MXNet exports write slopes [C], which ONNX itself would lay along the width."""
    slopes = [0.5, -1.0, 0.25]
    picture = np.random.default_rng(1).normal(0, 1, (1, 3, 3, 3)).astype(np.float32)
    found = ReferenceEvaluator(rewrite_prelu(network(slopes, shape=(-1,)))).run(
        None, {"input": picture}
    )[0]
    expected = np.where(picture > 0, picture, picture * np.reshape(slopes, (1, 3, 1, 1)))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_prelu_after_a_fully_connected_layer_stays():
    graph = GraphBuilder("dense")
    value = graph.add("Gemm", "input", graph.weights(np.eye(4)))
    graph.add("PRelu", value, graph.weights(np.full(4, 0.1)), output="answer")
    model = graph.model({"input": ("N", 4)}, {"answer": ("N", 4)})
    rewritten = rewrite_prelu(model)
    assert [node.op_type for node in rewritten.graph.node] == ["Gemm", "PRelu"]


@pytest.mark.parametrize("shape", [(1, 1, 1), (1,)])
def test_one_slope_for_all_channels_stays(shape):
    graph = GraphBuilder("shared")
    value = graph.add("Conv", "input", graph.weights(np.eye(2)[:, :, None, None]))
    graph.add("PRelu", value, graph.weights(np.full(shape, 0.1)), output="answer")
    model = graph.model({"input": (1, 2, 3, 3)}, {"answer": (1, 2, 3, 3)})
    assert "PRelu" in {node.op_type for node in rewrite_prelu(model).graph.node}
