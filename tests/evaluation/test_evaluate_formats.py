"""Truth is read from faceveil's JSON, MOT text and COCO JSON, and refused with the field named."""

import numpy as np
import orjson
import pytest

from faceveil.errors import InputError
from faceveil.evaluation.truth_formats import Clip, read_truth, truth_document, write_truth
from faceveil.faces import Kind
from testkit.clips import make_clip

CLIP = {"name": "clip.mp4", "width": 320, "height": 180, "frame_count": 6}


def document(**changes):
    face = {"person": "a", "frames": [0, 1], "boxes": [[10, 10, 50, 60]] * 2}
    return {"format": "faceveil-truth", "version": 1, "clip": CLIP, "faces": [face]} | changes


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
    return path


def test_a_truth_survives_being_written_and_read(tmp_path):
    truth = make_clip(320, 180, 24).truth
    write_truth(truth, tmp_path / "truth.json", "clip", "made by the clip itself")
    again = read_truth(tmp_path / "truth.json")
    assert again.people == truth.people and np.array_equal(again.shot_starts, truth.shot_starts)
    order, other = (np.lexsort((t.track, t.frames)) for t in (truth, again))
    assert np.array_equal(truth.frames[order], again.frames[other])
    assert np.array_equal(truth.person[order], again.person[other])
    assert np.allclose(truth.boxes[order], again.boxes[other], atol=0.051)
    assert np.allclose(truth.visible[order], again.visible[other], atol=0.02)
    assert truth_document(again, "clip", "made by the clip itself") == orjson.loads(
        (tmp_path / "truth.json").read_bytes()
    )


def test_visibility_is_a_share_or_ignored_for_all_frames_or_each(tmp_path):
    boxes = [[10, 10, 50, 60]] * 2
    faces = [
        {"person": "a", "frames": [0, 1], "boxes": boxes, "visibility": 0.5},
        {"person": "b", "frames": [2, 3], "boxes": boxes, "visibility": ["ignore", 0.25]},
    ]
    truth = read_truth(write(tmp_path / "t.json", document(faces=faces, labelled=[[0, 4]])))
    assert truth.visible.tolist() == [0.5, 0.5, 1, 0.25]
    assert truth.ignore.tolist() == [False, False, True, False]
    assert truth.labelled.tolist() == [True] * 4 + [False] * 2


def test_objects_of_other_kinds_have_a_kind_in_each_format_that_can_say_so(tmp_path):
    faces = document()["faces"]
    plate = {"person": "car", "kind": "plate", "frames": [2], "boxes": [[-10, 10, 10, 20]]}
    truth = read_truth(write(tmp_path / "t.json", document(faces=[*faces, plate])))
    assert truth.kinds.tolist() == [Kind.FACE, Kind.FACE, Kind.PLATE]
    assert truth.labelled_kinds == (Kind.FACE, Kind.PLATE)
    # Half of the plate lies in the frame; its corners count, those of a face do not.
    assert truth.visible.tolist() == [1, 1, 0.5]
    again = truth_document(truth, "clip", "by hand")
    assert again["faces"][1]["kind"] == "plate" and "kind" not in again["faces"][0]
    none = read_truth(write(tmp_path / "n.json", document(kinds=["face", "plate"])))
    assert none.labelled_kinds == (Kind.FACE, Kind.PLATE)
    coco = {
        "images": [{"id": 7, "width": 320, "height": 180, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "Plate"}, {"id": 2, "name": "woman"}],
        "annotations": [
            {"image_id": 7, "category_id": number, "bbox": [0, 0, 20, 10]} for number in (1, 2)
        ],
    }
    assert read_truth(write(tmp_path / "c.json", coco)).kinds.tolist() == [Kind.PLATE, Kind.FACE]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"kinds": ["plate"]}, "face is missing"),
        ({"kinds": ["car"]}, "kinds"),
        ({"format": "other"}, "format"),
        ({"version": 2}, "version"),
        ({"clip": CLIP | {"width": 0}}, "clip.width"),
        ({"faces": [{"person": "a", "frames": [0], "boxes": []}]}, r"faces\[0\]"),
        ({"faces": [{"person": "a", "frames": [1, 0], "boxes": [[0, 0, 1, 1]] * 2}]}, "rise"),
        ({"faces": [{"person": "a", "frames": [0], "boxes": [[5, 0, 5, 1]]}]}, "empty"),
        ({"faces": [{"person": "a", "frames": [6], "boxes": [[0, 0, 1, 1]]}]}, "frame 6"),
        (
            {"faces": [{"person": "a", "frames": [0], "boxes": [[0, 0, 1, 1]], "visibility": 2}]},
            r"faces\[0\].visibility",
        ),
        ({"surplus": 1}, "surplus"),
    ],
)
def test_nonsense_is_refused_with_its_field(tmp_path, changes, named):
    with pytest.raises(InputError, match=named):
        read_truth(write(tmp_path / "truth.json", document(**changes)))


def test_a_file_that_is_not_there_or_not_json_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.json"):
        read_truth(tmp_path / "none.json")
    with pytest.raises(InputError, match="neither JSON"):
        read_truth(write(tmp_path / "broken.json", b"{"))


MOT = """\
1,1,11,11,40,50,1,1,1.0
2,1,13,11,40,50,1,1,0.4

2,7,101,21,30,30,0,1,1.0
"""


def test_mot_text_counts_from_one_and_says_what_counts(tmp_path):
    (tmp_path / "gt").mkdir()
    settings = "[Sequence]\nname=x\nimWidth=320\nimHeight=180\nseqLength=6\n"
    (tmp_path / "seqinfo.ini").write_text(settings)
    truth = read_truth(write(tmp_path / "gt" / "gt.txt", MOT.encode()))
    assert truth.frames.tolist() == [0, 1, 1] and truth.frame_count == 6
    assert truth.boxes.tolist()[0] == [10, 10, 50, 60]
    assert truth.people == ("track 1", "track 7") and truth.track.tolist() == [0, 0, 1]
    assert truth.visible[1] == pytest.approx(0.4) and truth.ignore.tolist() == [0, 0, 1]


def test_mot_text_without_its_size_needs_a_clip(tmp_path):
    path = write(tmp_path / "gt.txt", MOT.encode())
    with pytest.raises(InputError, match=r"seqinfo\.ini"):
        read_truth(path)
    assert read_truth(path, Clip("x", 320, 180, 6)).width == 320
    with pytest.raises(InputError, match="line 1"):
        read_truth(write(path, b"1,2,three,4,5,6\n"), Clip("x", 320, 180, 6))


def test_coco_follows_tracks_through_images_in_order(tmp_path):
    images = [
        {"id": 5, "file_name": "b.png", "width": 320, "height": 180},
        {"id": 3, "file_name": "a.png", "width": 320, "height": 180},
    ]
    annotations = [
        {"image_id": 5, "bbox": [10, 20, 30, 40], "track_id": 1},
        {"image_id": 3, "bbox": [12, 20, 30, 40], "track_id": 1, "iscrowd": 1},
        {"image_id": 3, "bbox": [100, 20, 30, 40]},
    ]
    coco = {"images": images, "annotations": annotations}
    truth = read_truth(write(tmp_path / "coco.json", coco))
    assert truth.frames.tolist() == [0, 0, 1] and truth.frame_count == 2
    assert truth.boxes[2].tolist() == [10, 20, 40, 60]
    assert truth.track[0] == truth.track[2] != truth.track[1]
    assert truth.ignore.tolist() == [True, False, False]
    del annotations[0]["bbox"]
    with pytest.raises(InputError, match="bbox"):
        read_truth(write(tmp_path / "coco.json", coco))
