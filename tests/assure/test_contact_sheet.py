"""The contact sheet shows each identity's faces, its state and its place in time."""

import numpy as np
import pytest
from PIL import Image

from faceveil.assure.contact_sheet import FACE_SIZE, FACES_PER_ROW, MAX_ROWS, ContactSheet
from faceveil.decisions import Decision
from faceveil.errors import OutputError
from faceveil.faces import FaceSequence, Provenance

RED, BLUE, AMBER = (214, 56, 44), (44, 104, 214), (240, 160, 0)
VEIL, KEEP = Decision(True, "everyone is veiled"), Decision(False, "matches Åse", "Åse", 0.8)
DOUBT = Decision(True, "may be Åse, similarity 0.38", "Åse", 0.38, uncertain=True)


def sequence(first, length, box=(100, 80, 160, 150)):
    frames = np.arange(first, first + length, dtype=np.int32)
    boxes = np.tile(np.array(box, np.float32), (length, 1))
    return FaceSequence(frames, boxes, np.ones(length, np.float32), np.zeros(length, np.uint8))


def drawn(sheet, path, picture=None):
    picture = np.full((240, 320, 3), (20, 200, 90), np.uint8) if picture is None else picture
    for frame in sheet.wanted_frames:
        sheet.add(frame, picture)
    sheet.save(path)
    return np.asarray(Image.open(path).convert("RGB"))


def has(picture, colour):
    return (picture == colour).all(axis=2)


def test_each_state_has_its_colour_and_the_timeline_its_length(tmp_path):
    sequences = [sequence(0, 50), sequence(50, 25), sequence(0, 100)]
    sheet = ContactSheet(sequences, np.array([3, 3, 8]), [VEIL, DOUBT, KEEP], 100)
    picture = drawn(sheet, tmp_path / "sheet.png")
    timeline = picture[:, -500:]
    middle = timeline.shape[1] - 496
    kept, veiled, doubt = (has(timeline, colour).any(axis=0).sum() for colour in (BLUE, RED, AMBER))
    assert middle >= 0
    assert kept == pytest.approx(480, abs=2)
    assert veiled == pytest.approx(360, abs=2)
    assert doubt == pytest.approx(120, abs=2)


def test_up_to_six_faces_spread_over_time_and_the_best_among_them(tmp_path):
    long = sequence(0, 600)
    long.scores[:] = 0.5
    long.scores[[33, 555]] = 0.99
    sheet = ContactSheet([long, sequence(700, 2)], np.array([0, 1]), [VEIL, KEEP], 1000)
    frames = sorted(frame for frame in sheet.wanted_frames if frame < 700)
    assert len(frames) == FACES_PER_ROW
    assert 33 in frames and 555 in frames
    assert np.diff(frames).max() < 250
    picture = drawn(sheet, tmp_path / "sheet.png")
    assert has(picture, (20, 200, 90)).sum() == (FACES_PER_ROW + 2) * FACE_SIZE**2


def test_interpolated_boxes_are_shown_only_where_there_is_nothing_better():
    mixed = sequence(0, 10)
    mixed.provenance[:8] = Provenance.INTERPOLATED
    assert ContactSheet([mixed], np.array([0]), [VEIL], 10).wanted_frames <= {8, 9}
    mixed.provenance[:] = Provenance.EXTENDED
    assert ContactSheet([mixed], np.array([0]), [VEIL], 10).wanted_frames


def test_hundreds_of_identities_stay_bounded_and_the_rest_is_named(tmp_path):
    sequences = [sequence(index, 1 + index % 3) for index in range(MAX_ROWS + 30)]
    sheet = ContactSheet(sequences, np.arange(len(sequences)), [VEIL] * len(sequences), 500)
    assert sheet._left_out == 30
    assert drawn(sheet, tmp_path / "sheet.png").shape[0] < 120 * MAX_ROWS


def test_boxes_beyond_the_frame_and_no_faces_at_all(tmp_path):
    off = [sequence(0, 2, (-80, -90, 30, 20)), sequence(0, 2, (900, 900, 990, 990))]
    drawn(ContactSheet(off, np.array([0, 1]), [VEIL, KEEP], 2), tmp_path / "off.png")
    drawn(ContactSheet([], np.zeros(0, np.int32), [], 0), tmp_path / "none.png")


def test_a_folder_that_is_not_there_is_said(tmp_path):
    sheet = ContactSheet([sequence(0, 2)], np.array([0]), [VEIL], 2)
    with pytest.raises(OutputError, match=r"sheet\.png"):
        sheet.save(tmp_path / "nowhere" / "sheet.png")
