"""Packed as columns, an analysis is what analysis.json says, and as rendering sees it the same."""

from dataclasses import replace

import numpy as np
import pytest

from faceveil import finding
from faceveil.analysis import parse_analysis, to_json
from faceveil.errors import InputError
from faceveil.jobs.detections.answers import UnknownFrames
from faceveil.jobs.steps.analyse import decide_selection
from faceveil.jobs.steps.packed_analysis import pack, unpack, without_features
from faceveil.leftovers import Leftovers
from faceveil.media.folder import FolderSource
from testkit.made_job import HEIGHT, WIDTH, faces_at


@pytest.fixture(params=["people", "nobody"])
def analysis(request, uploaded):
    source = FolderSource(uploaded.folder / "frames")
    shown = range(24) if request.param == "people" else range(15, 24)
    faces = ((number, faces_at(at)) for number, at in enumerate(shown))
    found = finding.follow(faces, size=(WIDTH, HEIGHT))
    seen = Leftovers(np.int32([2]), np.float32([[1, 2, 3, 4]]), np.float32([0.3]))
    found = replace(found, leftovers=seen)
    return decide_selection(uploaded.run().job, found, source, None, UnknownFrames())


def test_columns_say_what_the_file_says(analysis):
    packed = pack(analysis)
    back = unpack(packed, "here")
    read = parse_analysis(to_json(analysis), "here")
    assert to_json(back) == to_json(analysis) == to_json(without_features(analysis))
    assert pack(analysis) == packed, "the same bytes each time"
    for one, other in zip(back.sequences, read.sequences, strict=True):
        assert np.array_equal(one.boxes, other.boxes)
        assert one.boxes.dtype == other.boxes.dtype == np.float32
        assert one.provenance.dtype == np.uint8
        assert len(one.features) == 0, "no biometric data outside of the detections"


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b'{"format": "faceveil-analysis"}'])
def test_what_is_damaged_is_named(content):
    with pytest.raises(InputError, match="here: is damaged"):
        unpack(content, "here")
