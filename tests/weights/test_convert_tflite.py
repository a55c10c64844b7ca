"""MobileFaceNet after conversion still tells people apart, whatever the batch."""

import cv2
import numpy as np
import pytest

from faceveil.weights.convert_tflite import _same_pads
from faceveil.weights.session import open_session
from faceveil.weights.store import locate


def face(folder, person, number):
    """The middle of an LFW picture, where the face is."""
    picture = cv2.imread(str(folder / person / f"{person}_{number:04d}.jpg"))[:, :, ::-1]
    crop = cv2.resize(picture[62:192, 60:190], (112, 112), interpolation=cv2.INTER_AREA)
    return crop.transpose(2, 0, 1)


@pytest.mark.parametrize("pair", [("George_W_Bush", "Colin_Powell"), ("Tony_Blair", "Hugo_Chavez")])
def test_two_pictures_of_one_person_are_closer_than_two_people(shared_data, pair):
    located = locate("arcface-mobilefacenet", "recognizer")
    network = located.network
    faces = np.stack([face(shared_data / "lfw", person, n) for person in pair for n in (1, 2, 3)])
    feeds = {"input": ((faces - network.mean) * network.scale).astype(np.float32)}
    (features,) = open_session(located.files["model"]).run(feeds)
    assert features.shape == (6, network.feature_size)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    cosine = features @ features.T
    same = np.concatenate(
        [cosine[:3, :3][np.triu_indices(3, 1)], cosine[3:, 3:][np.triu_indices(3, 1)]]
    )
    assert same.min() > 0.4
    assert cosine[:3, 3:].max() < 0.35


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pads"),
    [(112, 3, 2, [0, 0, 1, 1]), (112, 3, 1, [1, 1, 1, 1]), (7, 7, 1, [3, 3, 3, 3])],
)
def test_same_padding_puts_the_odd_pixel_at_the_end(size, kernel, stride, pads):
    assert _same_pads((size, size), (kernel, kernel), (stride, stride)) == pads
