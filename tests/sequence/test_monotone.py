"""Detecting more never veils less: the frames in which a face was covered stay covered."""

from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.sequence.finish import finish_sequences
from faceveil.sequence.options import SequenceOptions
from testkit.synthetic_people import HEIGHT, WIDTH, Face, build

FRAMES = 60
PERSON = (300.0, 300.0, 60.0)


def covered(faces_at):
    """The frames in which the person who stays in one place is covered."""
    built = build(FRAMES, faces_at)
    sequences, _ = finish_sequences(built, SequenceOptions(), FRAMES, WIDTH, HEIGHT)
    x, y, size = PERSON
    frames = set()
    for one in sequences:
        inside = (one.boxes[:, :2] <= [x - 0.4 * size, y - 0.4 * size]).all(axis=1)
        inside &= (one.boxes[:, 2:] >= [x + 0.4 * size, y + 0.4 * size]).all(axis=1)
        frames.update(one.frames[inside].tolist())
    return frames


SCORES = st.sampled_from([0.3, 0.45, 0.61, 0.7, 0.95])
SEEN = st.dictionaries(st.integers(0, FRAMES - 1), SCORES, max_size=20)
ELSEWHERE = st.lists(
    st.tuples(st.integers(0, FRAMES - 1), st.integers(450, 1200), st.integers(60, 660), SCORES),
    max_size=10,
)


@settings(deadline=None, max_examples=150)
@given(SEEN, SEEN, ELSEWHERE)
def test_more_detections_cover_no_fewer_faces(seen, more, elsewhere):
    def faces(scores, others):
        def at(t):
            person = [Face(*PERSON, score=scores[t])] if t in scores else []
            return person + [Face(x, y, score=score) for frame, x, y, score in others if frame == t]

        return at

    both = {t: max(seen.get(t, 0), more.get(t, 0)) for t in seen.keys() | more.keys()}
    assert covered(faces(seen, [])) <= covered(faces(both, elsewhere))
