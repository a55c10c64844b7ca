"""TransNetV2's checkpoint is read without running anything in it, and the network finds a cut."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from faceveil.errors import WeightsError
from faceveil.weights.convert_transnet import read_checkpoint
from faceveil.weights.session import open_session
from faceveil.weights.store import locate


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_that_names_anything_but_tensors_is_refused(tmp_path):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps({"w": Harmful(tmp_path / "harmed")}))
    with pytest.raises(WeightsError, match="not allowed"):
        read_checkpoint(data.getvalue())
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("data", [b"", b"no zip"])
def test_a_file_that_is_no_checkpoint(data):
    with pytest.raises(WeightsError, match="not a PyTorch checkpoint"):
        read_checkpoint(data)


@pytest.mark.slow
def test_the_network_finds_a_cut_and_nothing_else():
    session = open_session(locate("transnetv2", "shots").files["model"])
    rng = np.random.default_rng(8)
    scenes = [np.kron(rng.integers(0, 256, (3, 6, 3)), np.ones((9, 8, 1))) for _ in range(2)]
    frames = np.stack([scenes[0]] * 60 + [scenes[1]] * 40)
    frames = np.clip(frames + rng.normal(0, 4, frames.shape), 0, 255).astype(np.uint8)
    (single,) = session.run({"frames": frames[None]}, ["single"])
    found = np.flatnonzero(single[0] > 0.5)
    assert set(found) <= {59, 60} and len(found) >= 1
