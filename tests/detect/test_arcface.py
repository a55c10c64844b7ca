"""The recogniser: a face's feature is its own, whatever else is in the batch."""

import numpy as np
import pytest

from faceveil.detect.arcface import ArcFace
from faceveil.errors import UsageError


class MeanColours:
    """A network whose feature is the mean of each colour as fed; notes the batches it was given."""

    def __init__(self, batch="N", channels=3, outputs=("feature",)):
        self.inputs = {"data": (batch, channels, 112, 112)}
        self.outputs = dict.fromkeys(outputs, (batch, 3))
        self.batches = []

    def run(self, feeds, outputs=()):
        self.batches.append(feeds["data"].shape[0])
        return [feeds["data"].mean(axis=(2, 3))]


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(5).integers(0, 256, (19, 112, 112, 3), np.uint8)


def test_a_feature_does_not_depend_on_the_batch(recognizer, crops):
    together = recognizer.features(crops)
    alone = np.concatenate([recognizer.features(crops[[row]]) for row in range(len(crops))])
    assert together.shape == (19, recognizer.feature_size) == (19, 192)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_features_have_length_one(recognizer, crops):
    np.testing.assert_allclose(np.linalg.norm(recognizer.features(crops), axis=1), 1, atol=1e-5)


def test_no_face_gives_no_feature(recognizer, crops):
    assert recognizer.features(crops[:0]).shape == (0, 192)


def test_pixels_are_fed_as_the_manifest_says():
    crop = np.zeros((1, 112, 112, 3), np.uint8)
    crop[..., 0], crop[..., 2] = 30, 40
    rgb = ArcFace("x", MeanColours(), mean=0, scale=0.5)
    np.testing.assert_allclose(rgb.features(crop), [[0.6, 0, 0.8]], atol=1e-6)
    bgr = ArcFace("x", MeanColours(), mean=0, scale=0.5, colour_order="BGR")
    np.testing.assert_allclose(bgr.features(crop), [[0.8, 0, 0.6]], atol=1e-6)


def test_a_network_of_one_batch_size_is_fed_full_batches(crops):
    network = MeanColours(batch=4)
    fixed = ArcFace("x", network, batch_size=4).features(crops)
    assert network.batches == [4] * 5
    np.testing.assert_allclose(fixed, ArcFace("x", MeanColours()).features(crops), atol=1e-6)


def test_networks_of_another_shape_are_refused():
    with pytest.raises(UsageError, match="NCHW"):
        ArcFace("mine", MeanColours(channels=1))
    network = MeanColours()
    network.inputs["more"] = ("N", 3, 112, 112)
    with pytest.raises(UsageError, match="2 picture inputs"):
        ArcFace("mine", network)
