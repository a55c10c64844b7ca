"""Features kept on request come back exactly, and only to the analysis they belong to."""

import numpy as np
import pytest

from faceveil.errors import InputError
from faceveil.faces import FaceSequence
from faceveil.identity.features import read_features, write_features

DIGEST = "sha256:" + "1" * 64


def sequence(samples, seed):
    random = np.random.default_rng(seed)
    frames = np.arange(10, dtype=np.int32)
    return FaceSequence(
        frames=frames,
        boxes=np.tile(np.float32([0, 0, 9, 9]), (10, 1)),
        scores=np.ones(10, np.float32),
        provenance=np.zeros(10, np.uint8),
        feature_frames=frames[:samples],
        feature_quality=random.random(samples, np.float32),
        features=random.random((samples, 8), np.float32),
    )


def bare(sequences):
    return [FaceSequence(s.frames, s.boxes, s.scores, s.provenance) for s in sequences]


@pytest.mark.parametrize("counts", [(), (3,), (3, 0, 5), (0, 0)])
def test_they_come_back_exactly(tmp_path, counts):
    before = [sequence(count, seed) for seed, count in enumerate(counts)]
    write_features(before, DIGEST, tmp_path / "f.npz")
    after = read_features(bare(before), DIGEST, tmp_path / "f.npz")
    for one, other in zip(before, after, strict=True):
        for column in ("feature_frames", "feature_quality", "features"):
            np.testing.assert_array_equal(getattr(one, column), getattr(other, column))


def test_only_the_owner_may_read_them(tmp_path):
    write_features([sequence(2, 0)], DIGEST, tmp_path / "f.npz")
    assert (tmp_path / "f.npz").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("digest", "count"), [("sha256:" + "2" * 64, 2), (DIGEST, 1), (DIGEST, 3)])
def test_those_of_another_input_or_analysis_are_refused(tmp_path, digest, count):
    sequences = [sequence(2, seed) for seed in range(3)]
    write_features(sequences[:2], DIGEST, tmp_path / "f.npz")
    with pytest.raises(InputError, match="another input or analysis"):
        read_features(bare(sequences[:count]), digest, tmp_path / "f.npz")


@pytest.mark.parametrize("content", [b"", b"PK", b"{}"])
def test_a_file_from_elsewhere_is_refused(tmp_path, content):
    (tmp_path / "f.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"f\.npz"):
        read_features([], DIGEST, tmp_path / "f.npz")
