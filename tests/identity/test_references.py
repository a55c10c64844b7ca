"""Reference photos: whose they are, and that a photo that cannot be used is named."""

import numpy as np
import pytest
from PIL import Image

from faceveil.errors import InputError
from faceveil.identity.references import load_references, photos_by_person
from testkit.made_faces import between, frame_faces, person


@pytest.fixture
def photo(tmp_path):
    """Writes a small picture whose grey value tells the fake analyzer which photo it is."""

    def write(name, value=0):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (value, value, value)).save(path)
        return path

    return write


def analyzer(*answers):
    """An analyzer that answers by the grey value of the picture."""
    return lambda picture: answers[picture[0, 0, 0]]


def test_a_photo_is_a_person_named_by_its_stem(photo):
    references = load_references([photo("anchor.png")], analyzer(frame_faces([100])))
    assert references.names == ("anchor",)
    assert np.allclose(references.templates, [person(0)])


def test_a_folder_is_one_person(photo, tmp_path):
    near = frame_faces([100], [between(person(0), person(1), 0.8)])
    photo("anchor/1.png", 0), photo("anchor/2.png", 1), photo("anchor/.hidden.png", 2)
    (tmp_path / "anchor" / "notes.txt").write_text("not a photo")
    references = load_references([tmp_path / "anchor"], analyzer(frame_faces([100]), near))
    assert references.names == ("anchor",)
    assert references.person.tolist() == [0, 0]
    assert [path.name for path in references.photos] == ["1.png", "2.png"]
    assert np.linalg.norm(references.templates[0]) == pytest.approx(1)


def test_a_folder_of_folders_is_one_person_each(photo, tmp_path):
    photo("cast/ann/1.png"), photo("cast/bob/1.png"), photo("cast/bob/2.png")
    (tmp_path / "cast" / "empty").mkdir()
    people = photos_by_person([tmp_path / "cast"])
    assert {name: len(photos) for name, photos in people.items()} == {"ann": 1, "bob": 2}


def test_people_of_one_name_are_kept_apart(photo):
    people = photos_by_person([photo("ann/front.png"), photo("bob/front.png")])
    assert list(people) == ["front", "bob/front"]


def test_a_path_named_twice_counts_once(photo):
    path = photo("anchor.png")
    assert [len(photos) for photos in photos_by_person([path, path]).values()] == [1]


def test_mixed_folder_is_refused(photo, tmp_path):
    photo("cast/loose.png"), photo("cast/ann/1.png")
    with pytest.raises(InputError, match=r"loose\.png.*folder of their own"):
        photos_by_person([tmp_path / "cast"])


def test_folder_without_photos_and_missing_path_are_refused(tmp_path):
    with pytest.raises(InputError, match="holds no photos"):
        photos_by_person([tmp_path])
    with pytest.raises(InputError, match=r"nowhere\.png does not exist"):
        photos_by_person([tmp_path / "nowhere.png"])


@pytest.mark.parametrize(
    ("faces", "message"),
    [
        (frame_faces([]), "has none"),
        (frame_faces([100], scores=[0.45]), r"unclear one \(score 0\.45\)"),
        (frame_faces([100], scores=[0.8], accept_score=0.5), r"unclear one \(score 0\.80\)"),
        (frame_faces([100, 60]), "2 faces of similar size"),
        (frame_faces([20]), "20 pixels wide"),
        (frame_faces([100], [np.zeros(8)]), "cannot be described"),
    ],
    ids=["no face", "low score", "unclear", "several", "too small", "no feature"],
)
def test_a_photo_that_cannot_be_used_is_named(photo, faces, message):
    with pytest.raises(InputError, match=message) as problem:
        load_references([photo("anchor.png")], analyzer(faces))
    assert "anchor.png" in str(problem.value)


def test_an_unreadable_photo_is_named(tmp_path):
    path = tmp_path / "anchor.jpg"
    path.write_bytes(b"this is not a picture")
    with pytest.raises(InputError, match=r"anchor\.jpg"):
        load_references([path], analyzer())


def test_small_and_unclear_faces_in_the_background_are_ignored(photo):
    faces = frame_faces([30, 100, 90], scores=[1, 1, 0.4])
    references = load_references([photo("anchor.png")], analyzer(faces))
    assert np.allclose(references.features, [person(1)])


def test_a_folder_that_shows_two_people_is_refused(photo, tmp_path):
    one, other = frame_faces([100], [person(0)]), frame_faces([100], [person(1)])
    for name, value in ("a.png", 0), ("b.png", 0), ("c.png", 1):
        photo(f"anchor/{name}", value)
    with pytest.raises(InputError, match=r"c\.png does not show the same person.*anchor"):
        load_references([tmp_path / "anchor"], analyzer(one, other))


def test_features_are_never_shown(photo):
    references = load_references([photo("anchor.png")], analyzer(frame_faces([100])))
    assert "anchor" in repr(references)
    assert not any(word in repr(references) for word in ("array", "1.", "features"))


def test_nobody_is_no_reference():
    assert load_references([], analyzer()).names == ()


@pytest.mark.parametrize("name", ["1.jfif", "1.jp2", "1.avif", "1.apng", "1.JPE"])
def test_a_folder_of_photos_of_any_kind_that_is_read(name, photo, tmp_path):
    """Photos as telephones and browsers save them were passed over in a folder."""
    photo("anchor/0.png")
    kind = {".apng": "PNG", ".jpe": "JPEG"}.get((tmp_path / name).suffix.lower())
    Image.new("RGB", (40, 30)).save(tmp_path / "anchor" / name, kind)
    assert len(photos_by_person([tmp_path / "anchor"])["anchor"]) == 2
