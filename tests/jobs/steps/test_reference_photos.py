"""Reference photos are found under the job's prefix, looked at once, and named when useless."""

import io
import json

import numpy as np
import pytest
from PIL import Image as Picture

from faceveil.analysis import parse_analysis
from faceveil.errors import InputError
from faceveil.faces import FrameFaces, Models
from faceveil.jobs import state_machine
from testkit.made_job import FRAMES, MODELS, PREFIX, faces_at

ANN_PHOTOS = f"{PREFIX}references/ann/"
KEEP_ANN = {"mode": "keep", "references": {"Ann": ANN_PHOTOS}}


class SeesAnn:
    """A recogniser's stand-in: on every photo it sees Ann. Counts how often it looked."""

    models = MODELS

    def __init__(self):
        self.looked = 0

    def __call__(self, image):
        if image.shape[:2] != (64, 48):
            return FrameFaces(image.shape[1], image.shape[0], MODELS)
        self.looked += 1
        ann = faces_at(0)
        return ann.select(np.array([0]))


def photo(shade):
    content = io.BytesIO()
    Picture.new("RGB", (48, 64), (shade,) * 3).save(content, "PNG")
    return content.getvalue()


def kept_frames(made):
    analysis = parse_analysis(made.place.read("analysis.json"), "")
    rows = zip(analysis.sequences, analysis.decisions, strict=True)
    return {
        (decision.person, frame)
        for sequence, decision in rows
        if not decision.veil
        for frame in sequence.frames.tolist()
    }


def test_a_person_is_kept_by_photos_that_are_looked_at_once(made):
    made.upload(selection=KEEP_ANN)
    made.place.write("references/ann/one.png", photo(10))
    made.place.write("references/ann/Two.PNG", photo(20))
    made.place.write("references/ann/notes.txt", b"not a photo")
    analyzer = SeesAnn()
    run = made.run(analyzer=lambda: analyzer)
    state_machine.run_whole_job(run)
    assert kept_frames(made) == {("Ann", frame) for frame in range(10)}
    assert analyzer.looked == 2
    # nothing biometric outside of the detections
    assert len([name for name in made.detected() if name.startswith("references/")]) == 2
    # analysed again, the photos need not be; a new content under an old name must be
    made.place.delete([n for n in made.results() if not n.startswith("references/")])
    made.place.write("references/ann/one.png", photo(30))
    state_machine.run_whole_job(run)
    assert analyzer.looked == 3
    assert made.place.find("_SUCCESS")


def test_what_was_seen_in_photos_goes_with_the_detections(made):
    made.upload(selection=KEEP_ANN, retention={"delete_features": True})
    made.place.write("references/ann/one.png", photo(10))
    state_machine.run_whole_job(made.run(analyzer=SeesAnn))
    assert made.detected() == {}
    assert len(made.objects("frames/")) == FRAMES
    assert made.objects("references/"), "the photos are the user's"


def test_a_photo_that_is_none_is_named(made):
    made.upload(selection=KEEP_ANN)
    made.place.write("references/ann/one.png", b"no picture")
    with pytest.raises(InputError, match=r"references/ann/one.png.* cannot be used"):
        state_machine.run_whole_job(made.run(analyzer=SeesAnn))
    assert "one.png" in json.loads(made.place.read("error.json"))["reason"]


def test_photos_and_detections_need_one_recogniser(made):
    made.upload(selection=KEEP_ANN)
    made.place.write("references/ann/one.png", photo(10))
    other = SeesAnn()
    other.models = Models("made", "another", MODELS.digest, 0.5)
    with pytest.raises(InputError, match="the recogniser made, the photos would be with another"):
        state_machine.run_whole_job(made.run(analyzer=lambda: other))
