"""Protects: each key is the frame its number says, and none is lost, doubled or taken for another.

Listings are made up here: one S3 behind them is in tests/aws.
"""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.aws.s3 import Listed
from faceveil.errors import InputError
from faceveil.frame_range import FrameRange
from faceveil.media.s3_keys import FramePart, list_frames, list_part, parse_frame_name

SUFFIXES = st.sampled_from([".png", ".jpg", ".jpeg", ".JPG", ".Png"])
STEMS = st.text(st.characters(codec="utf-8", exclude_characters="/"), max_size=12).filter(
    lambda stem: not stem.startswith(".") and not (stem and stem[-1] in "0123456789")
)


class Listing:
    """A place whose listing is known: pages of three, in S3's order of keys (UTF-8)."""

    def __init__(self, names):
        self.names = sorted(names, key=str.encode)
        self.asked = 0
        self.uri = lambda: "s3://bucket/frames/"

    def pages(self, start_after=""):
        rest = [name for name in self.names if name.encode() > start_after.encode()]
        for start in range(0, len(rest), 3):
            self.asked += 1
            yield [Listed(name, len(name), f"{name!r}") for name in rest[start : start + 3]]


def shuffled_names(stem, suffix, first, count, width):
    return [f"{stem}{first + index:0{width}d}{suffix}" for index in range(count)]


@given(stem=STEMS, number=st.integers(0, 10**18 - 1), width=st.integers(1, 30), suffix=SUFFIXES)
def test_a_name_is_taken_apart_as_it_was_put_together(stem, number, width, suffix):
    name = parse_frame_name(f"{stem}{number:0{width}d}{suffix}")
    assert (name.stem, name.number, name.suffix) == (stem, number, suffix)
    assert f"{name.stem}{name.digits}{name.suffix}" == f"{stem}{number:0{width}d}{suffix}"


@given(st.text(max_size=30))
def test_any_text_is_a_frame_no_picture_or_a_clear_error(text):
    try:
        name = parse_frame_name(text)
    except InputError:
        return
    assert name is None or "".join(name) == text


@pytest.mark.parametrize("name", ["notes.txt", ".img0000001.png", "frames.png/x", "", "1.webp"])
def test_what_is_no_picture_is_passed_over(name):
    assert parse_frame_name(name) is None


@pytest.mark.parametrize(
    "name", ["cover.png", "1b.jpg", "٣.png", f"{10**18}.png", f"{1:0300d}.png"]
)
def test_a_picture_without_a_usable_number_is_refused(name):
    with pytest.raises(InputError, match="frame number"):
        parse_frame_name(name)


@given(
    stem=STEMS,
    suffix=SUFFIXES,
    first=st.integers(0, 1200),
    count=st.integers(1, 40),
    width=st.integers(1, 7),
)
def test_frames_are_in_the_order_of_their_numbers(stem, suffix, first, count, width):
    names = shuffled_names(stem, suffix, first, count, width)
    keys = list_frames(Listing([*names, "notes.txt"]))
    assert [keys.listed(row).name for row in range(len(keys))] == names
    assert [keys.listed(row).size for row in range(len(keys))] == [len(name) for name in names]
    assert [keys.listed(row).etag for row in range(len(keys))] == [f"{name!r}" for name in names]
    assert keys.first_name == names[0]
    assert keys.row(first + count - 1) == count - 1
    assert keys.row(first + count) is None
    assert keys.row(first - 1) is None


@given(
    stem=STEMS,
    first=st.integers(0, 120),
    count=st.integers(1, 60),
    width=st.integers(1, 5),
    data=st.data(),
)
def test_a_part_is_what_the_whole_listing_has_of_it(stem, first, count, width, data):
    """Also where numbers outgrow their padding, frames are lost (the first, too) and others lie
    between in S3's order."""
    names = shuffled_names(stem, ".png", first, count, width)
    start = data.draw(st.integers(0, count + 3))
    stop = data.draw(st.integers(start + 1, count + 5))
    lost = data.draw(st.sets(st.sampled_from(names)))
    listing = Listing([name for name in names if name not in lost])
    keys = list_part(listing, FramePart(names[0], FrameRange(start, stop)))
    expected = [name for name in names[start:stop] if name not in lost]
    assert [keys.listed(row).name for row in range(len(keys))] == expected


def test_a_part_of_padded_names_costs_a_listing_of_its_own_length():
    names = shuffled_names("img", ".png", 1, 300, 7)
    listing = Listing(names)
    keys = list_part(listing, FramePart(names[0], FrameRange(100, 106)))
    assert keys.numbers.tolist() == list(range(101, 107))
    assert listing.asked <= 3


def test_missing_numbers_are_named():
    names = shuffled_names("img", ".png", 1, 30, 7)
    for number in (3, 17, 18, 19, 21, 22, 23):
        names.remove(f"img{number:07d}.png")
    words = r"s3://bucket/frames/: 7 of the numbers 1 to 30 are missing: 3, 17, 18, 19, 21, …"
    with pytest.raises(InputError, match=words):
        list_frames(Listing(names))


def test_a_huge_gap_is_not_counted_through():
    with pytest.raises(InputError, match="2, 3, 4, 5, 6, …"):
        list_frames(Listing(["img1.png", f"img{10**15}.png"]))


@pytest.mark.parametrize(
    "other", ["img0000002.jpg", "img2.png", "img0000002.PNG"], ids=["format", "padding", "case"]
)
def test_a_number_used_twice_is_named(other):
    names = [*shuffled_names("img", ".png", 1, 3, 7), other]
    with pytest.raises(InputError, match=rf"1 frames exist twice: .*{other}"):
        list_frames(Listing(names))


def test_two_videos_under_one_prefix_are_refused():
    with pytest.raises(InputError, match=r"a1\.png and b2\.png"):
        list_frames(Listing(["a1.png", "b2.png"]))


@pytest.mark.parametrize("names", [[], ["notes.txt"]])
def test_a_prefix_without_frames_is_refused(names):
    with pytest.raises(InputError, match="holds no frames"):
        list_frames(Listing(names))


def test_the_digest_depends_on_names_sizes_and_etags():
    objects = [Listed(f"img{number:07d}.png", 10 + number, f"e{number}") for number in range(5)]
    changed = [
        [*objects[:4], objects[4]._replace(**change)]
        for change in ({"name": "img0000004.jpg"}, {"size": 9}, {"etag": "other"})
    ]
    digests = {
        list_frames(SimpleNamespace(pages=lambda page=page: [page])).digest()
        for page in [objects, objects[::-1], *changed]
    }
    assert len(digests) == 4, "the order of the listing alone changes nothing"
