"""Short sequences go only where no detected face is uncovered by it."""

from faceveil.faces import Provenance
from faceveil.sequence.prune import prune
from testkit.synthetic_people import sequence, still_box


def still(frames, x=100.0, size=50.0, provenance=Provenance.DETECTED):
    return sequence(frames, still_box(len(frames), x=x, size=size), provenance)


LONG = still(range(100))


def test_a_short_sequence_of_its_own_stays():
    left, became = prune([LONG, still(range(5, 8), x=400.0)], min_length=10)
    assert len(left) == 2
    assert became.tolist() == [0, 1]


def test_a_second_box_of_a_longer_face_goes_and_is_counted_to_it():
    left, became = prune([still(range(5, 8), x=102.0, size=45.0), LONG], min_length=10)
    assert left == [LONG]
    assert became.tolist() == [0, 0]


def test_a_box_that_sticks_out_of_the_longer_one_stays():
    assert len(prune([LONG, still(range(5, 8), x=110.0)], min_length=10)[0]) == 2


def test_a_much_smaller_face_inside_a_longer_one_stays():
    assert len(prune([LONG, still(range(5, 8), x=110.0, size=20.0)], min_length=10)[0]) == 2


def test_one_outlasting_the_longer_face_stays():
    assert len(prune([LONG, still(range(97, 103), x=102.0, size=45.0)], min_length=10)[0]) == 2


def test_a_short_sequence_without_a_detection_goes():
    left, became = prune([still(range(3), provenance=Provenance.INTERPOLATED), LONG], 10)
    assert left == [LONG]
    assert became.tolist() == [-1, 0]


def test_the_thesis_removes_detected_faces_too_and_leaves_them_to_nobody():
    left, became = prune([LONG, still(range(5, 8), x=400.0)], 10, prune_detected=True)
    assert left == [LONG]
    assert became.tolist() == [0, -1]


def test_nothing_is_short_by_default():
    assert len(prune([LONG, still(range(1))], min_length=0)[0]) == 2
    assert prune([], min_length=5)[0] == []
