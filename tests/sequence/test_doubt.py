"""What was hardly seen is veiled where it was seen, and nowhere else."""

import numpy as np
import pytest

from faceveil.faces import Provenance
from faceveil.sequence.doubt import is_doubtful
from faceveil.sequence.finish import finish_sequences
from faceveil.sequence.options import SequenceOptions
from testkit.synthetic_people import HEIGHT, WIDTH, Face, build, sequence, still_box

FRAMES = 60


def test_few_and_unclear_looks_are_in_doubt():
    two = sequence([3, 7], still_box(2))
    two.scores[:] = 0.65
    assert is_doubtful(two)
    two.scores[1] = 0.71
    assert not is_doubtful(two)
    three = sequence([3, 7, 8], still_box(3))
    three.scores[:] = 0.55
    assert not is_doubtful(three)
    three.provenance[0] = Provenance.LOW_SCORE
    assert is_doubtful(three)


@pytest.mark.parametrize(
    ("score", "seen", "span"), [(0.65, [30], (30, 30)), (0.65, [30, 34], (30, 34))]
)
def test_the_doubtful_is_veiled_where_it_was_seen_only(score, seen, span):
    options = SequenceOptions()
    built = build(FRAMES, lambda t: [Face(300, 300, score=score)] if t in seen else [])
    (only,), log = finish_sequences(built, options, FRAMES, WIDTH, HEIGHT)
    assert (only.first, only.last) == span
    assert len(log) == len(seen) and (log.sequence == 0).all()


def test_pixels_of_the_doubtful_are_not_followed_and_the_order_stays():
    def faces(t):
        sure = [Face(900, 300)] if 10 <= t < 50 else []
        return [*([Face(300, 300, score=0.65)] if t == 5 else []), *sure]

    given = []

    def track(sequences, shot_starts, reaches):
        given.extend(zip((one.first for one in sequences), reaches.tolist(), strict=True))
        return list(sequences)

    built = build(FRAMES, faces)
    sequences, log = finish_sequences(built, SequenceOptions(), FRAMES, WIDTH, HEIGHT, track=track)
    assert given[0] == (5, [5, 5])
    assert given[1][0] == 10 and given[1][1][0] < 0 and given[1][1][1] >= FRAMES
    assert len(sequences) == 2 and sequences[0].first == 5
    for frame, box, index in zip(log.frames, log.boxes, log.sequence, strict=True):
        held = sequences[index].box_at(int(frame))
        assert np.all(held[:2] <= box[:2]) and np.all(held[2:] >= box[2:])
