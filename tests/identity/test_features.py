"""Features kept on request come back exactly, and only to the analysis they belong to."""

from dataclasses import replace

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


def at(left, first=0, last=9, samples=3, seed=0):
    """A sequence of its own place and features."""
    frames = np.arange(first, last + 1, dtype=np.int32)
    made = sequence(samples, seed)
    return replace(
        made,
        frames=frames,
        boxes=np.tile(np.float32([left, 0, left + 9, 9]), (len(frames), 1)),
        scores=np.ones(len(frames), np.float32),
        provenance=np.zeros(len(frames), np.uint8),
        feature_frames=frames[:: max(1, len(frames) // samples)][:samples],
    )


def test_those_of_another_input_or_analysis_are_refused(tmp_path):
    written = [at(0), at(50)]
    write_features(written, DIGEST, tmp_path / "f.npz")
    other = "sha256:" + "2" * 64
    for sequences, digest in ((written, other), ([at(100), at(150)], DIGEST), ([], DIGEST)):
        with pytest.raises(InputError, match="another input or analysis"):
            read_features(bare(sequences), digest, tmp_path / "f.npz")


def test_a_corrected_analysis_gets_the_features_of_the_faces_in_their_places(tmp_path):
    """Split, moved, drawn and gone: rows of one person are never taken for another's."""
    ann, bob = at(0, seed=1, samples=5), at(50, seed=2)
    write_features([ann, bob], DIGEST, tmp_path / "f.npz")
    drawn, early, late = at(200), at(3, 0, 4), at(0, 5, 9)
    after = read_features(bare([drawn, late, early]), DIGEST, tmp_path / "f.npz")
    assert [len(item.features) for item in after] == [0, 2, 3]
    np.testing.assert_array_equal(after[2].features, ann.features[:3])
    np.testing.assert_array_equal(after[1].features, ann.features[3:])
    assert after[1].feature_frames.tolist() == [6, 8]


def test_as_many_sequences_of_other_people_are_not_confused(tmp_path):
    """One was removed and one was drawn: the count is the same, the rows are others'."""
    ann, bob = at(0, seed=1), at(50, seed=2)
    write_features([ann, bob], DIGEST, tmp_path / "f.npz")
    after = read_features(bare([bob, at(200)]), DIGEST, tmp_path / "f.npz")
    np.testing.assert_array_equal(after[0].features, bob.features)
    assert len(after[1].features) == 0


def test_a_file_without_places_is_only_for_its_own_analysis(tmp_path):
    """Version 0.1 wrote such files."""
    before = [at(0, seed=1), at(50, 20, 29, seed=2)]
    write_features(before, DIGEST, tmp_path / "new.npz")
    with np.load(tmp_path / "new.npz") as file:
        np.savez(tmp_path / "f.npz", **{n: file[n] for n in file.files if n != "boxes"})
    after = read_features(bare(before), DIGEST, tmp_path / "f.npz")
    np.testing.assert_array_equal(after[1].features, before[1].features)
    for others in (before[:1], before[::-1]):
        with pytest.raises(InputError, match="another input or analysis"):
            read_features(bare(others), DIGEST, tmp_path / "f.npz")


@pytest.mark.parametrize("content", [b"", b"PK", b"{}"])
def test_a_file_from_elsewhere_is_refused(tmp_path, content):
    (tmp_path / "f.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"f\.npz"):
        read_features([], DIGEST, tmp_path / "f.npz")
