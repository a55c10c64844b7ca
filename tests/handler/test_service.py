"""The service without a server: what is answered for good and bad pictures, and with options."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image as Picture

from faceveil.detect.build import build_analyzer
from faceveil.faces import FrameFaces
from faceveil.media.picture_file import clean
from faceveil.media.pictures import read_picture
from faceveil.schemas import load_schema
from testkit.laden_pictures import LADEN
from testkit.request_pictures import FORMATS, bad_bodies, encoded

pytest.importorskip("sagemaker_inference", reason="needs the extra `serve`: sagemaker-inference")

from handler import service
from handler.options import ServiceOptions


class FakeContext:
    """Stands in for multi-model-server's context."""

    def __init__(self):
        self.content_types = {}

    def set_response_content_type(self, idx, value):
        self.content_types[idx] = value


@pytest.fixture
def ask(analyzer, monkeypatch):
    """Calls `handle` with the real networks, as multi-model-server does."""

    def call(request, **variables):
        options = ServiceOptions.from_environment(variables)
        monkeypatch.setattr(service, "_service", lambda: service.Service(analyzer, options))
        context = FakeContext()
        (answer,) = service.handle([request], context)
        assert context.content_types == {0: "application/json"}
        Draft202012Validator(load_schema("detections")).validate(json.loads(answer))
        return answer

    return call


@pytest.mark.parametrize("form", FORMATS)
def test_a_picture_of_any_format_is_answered_as_the_library_sees_it(ask, analyzer, portrait, form):
    picture = Picture.open(io.BytesIO(portrait)).resize((400, 500))
    body = encoded(picture, form)
    answer = ask({"body": bytearray(body)})
    assert answer == replace(analyzer(read_picture(body)), hidden=()).to_json()
    assert len(FrameFaces.from_json(answer)) >= 1


@pytest.mark.parametrize("name", ["EXIF thumbnail.jpg", "movie behind.jpg", "XMP.png"])
def test_what_a_frame_holds_beside_its_picture_is_answered(ask, name):
    """In the cloud, a frame that holds nothing else is copied without being downloaded."""
    content = LADEN[name]()
    assert FrameFaces.from_json(ask({"body": content})).hidden == clean(content).removed != ()


def test_a_frame_that_is_an_animation_is_answered_with_an_error(ask):
    """So it is veiled whole: the networks see its first picture only."""
    stream = io.BytesIO()
    frames = [Picture.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:])
    answer = FrameFaces.from_json(ask({"body": stream.getvalue()}))
    assert answer.error is not None
    assert answer.error.code == "several_pictures"


@pytest.mark.parametrize("defect", bad_bodies(b""))
def test_a_bad_picture_is_answered_with_an_error(ask, portrait, defect):
    answer = FrameFaces.from_json(ask({"body": bytearray(bad_bodies(portrait)[defect])}))
    assert answer.error is not None
    assert answer.error.code == "unreadable"
    assert len(answer) == 0


def test_a_form_is_answered_with_an_error(ask):
    answer = FrameFaces.from_json(ask({"name": b"value"}))
    assert answer.error is not None
    assert answer.error.code == "no_picture"


def test_a_programming_fault_is_not_answered_as_a_bad_picture(monkeypatch, portrait):
    def broken(image):
        raise RuntimeError("a bug")

    options = ServiceOptions.from_environment({})
    monkeypatch.setattr(service, "_service", lambda: service.Service(broken, options))
    with pytest.raises(RuntimeError):
        service.handle([{"body": portrait}], FakeContext())


def test_the_first_call_without_requests_opens_the_networks(monkeypatch):
    opened = []
    monkeypatch.setattr(service, "_service", lambda: opened.append(True))
    assert service.handle(None, FakeContext()) == []
    assert opened


def test_thumbnail_and_precision_follow_the_options(ask, portrait):
    exact = FrameFaces.from_json(ask({"body": portrait}))
    rounded = FrameFaces.from_json(
        ask({"body": portrait}, FACEVEIL_THUMBNAIL="off", FACEVEIL_FEATURE_DECIMALS="3")
    )
    assert exact.thumbnail is not None
    assert rounded.thumbnail is None
    assert not np.array_equal(rounded.features, exact.features)
    assert np.abs(rounded.features - exact.features).max() <= 0.0005 + 1e-6


def test_a_picture_over_the_pixel_limit_is_answered_with_an_error(ask, portrait):
    answer = FrameFaces.from_json(ask({"body": portrait}, FACEVEIL_MAX_PIXELS="1000"))
    assert answer.error is not None
    assert "1000" in answer.error.message


@pytest.mark.parametrize("detector", ["mtcnn", "centerface", "dlib-hog"])
def test_one_detector_alone_answers_too(weights, portrait, detector):
    if detector == "dlib-hog":
        pytest.importorskip("dlib", reason="needs the extra `dlib`")
    options = ServiceOptions.from_environment({"FACEVEIL_DETECTOR": detector})
    answer = service.Service(build_analyzer(options.analyzer), options).answer(portrait)
    assert len(FrameFaces.from_json(answer)) >= 1
