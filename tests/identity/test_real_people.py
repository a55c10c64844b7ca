"""The thresholds on real people: LFW pictures, and the Hamilton clip's reference photos."""

from itertools import combinations

import numpy as np
import pytest

from faceveil.detect.build import build_analyzer
from faceveil.errors import InputError
from faceveil.identity.cluster import cluster
from faceveil.identity.references import References, load_references
from faceveil.identity.select import Selection, decide_sequences
from faceveil.media.pictures import read_picture
from testkit.made_faces import sequence

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def analyzer():
    return build_analyzer()


@pytest.fixture(scope="module")
def pictures(shared_data, analyzer):
    """(person, feature) of the face in the middle of each LFW picture."""
    found = []
    for path in sorted((shared_data / "lfw").glob("*/*.jpg")):
        faces = analyzer(read_picture(path))
        faces = faces.select(faces.accepted)
        centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
        middle = np.hypot(*(centres - 125).T).argmin()
        found.append((path.parent.name, faces.features[middle]))
    return found


def one_shot_each(features):
    return [sequence(row, first=20 * k, last=20 * k + 9) for k, row in enumerate(features)]


def test_clustering_never_merges_two_people_of_lfw(pictures):
    """Each picture is a sequence of one frame; a wrong merge is worse than a split."""
    identities = cluster(one_shot_each([feature for _, feature in pictures]))
    people = [person for person, _ in pictures]
    together = [(a, b) for a, b in combinations(range(len(people)), 2) if people[a] == people[b]]
    joined = [
        (a, b) for a, b in combinations(range(len(people)), 2) if identities[a] == identities[b]
    ]
    assert all(people[a] == people[b] for a, b in joined)
    assert len(joined) / len(together) >= 0.95


def test_keep_by_photo_keeps_one_person_of_lfw(pictures):
    """Three pictures of each person are references; all other pictures of ten are judged."""
    wrongly_kept = wrongly_veiled = judged = 0
    for kept in sorted({person for person, _ in pictures}):
        own = [feature for person, feature in pictures if person == kept]
        known = References((kept,), np.array(own[:3]), np.zeros(3, np.int32), ())
        others = [feature for person, feature in pictures if person != kept]
        rest = own[3:] + others
        decisions = decide_sequences(
            one_shot_each(rest), np.arange(len(rest)), Selection("keep", known)
        )
        wrongly_veiled += sum(decision.veil for decision in decisions[: len(own) - 3])
        wrongly_kept += sum(not decision.veil for decision in decisions[len(own) - 3 :])
        judged += len(rest)
    assert judged > 900
    assert wrongly_kept <= 0.002 * judged
    assert wrongly_veiled <= 0.002 * judged


def test_reference_photos_of_the_clip(shared_data, analyzer):
    """Background faces are ignored, and a photo of two people is refused by name."""
    folder = shared_data / "hamilton"
    photos = [folder / name for name in ("lin-manuel-miranda.png", "obama.jpg", "obama2.jpg")]
    references = load_references(photos, analyzer)
    assert references.names == ("lin-manuel-miranda", "obama", "obama2")
    similarity = references.templates @ references.templates.T
    assert similarity[1, 2] > 0.7
    assert similarity[0, 1:].max() < 0.3
    with pytest.raises(InputError, match=r"two_people\.jpg shows 2 faces"):
        load_references([folder / "two_people.jpg"], analyzer)


def test_a_photo_with_a_second_person_at_its_edge_is_refused(shared_data, analyzer):
    photo = shared_data / "lfw" / "Tony_Blair" / "Tony_Blair_0001.jpg"
    with pytest.raises(InputError, match=r"Tony_Blair_0001\.jpg shows 2 faces"):
        load_references([photo], analyzer)
