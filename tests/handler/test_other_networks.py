"""The service with networks that are no default: those of the extra `dlib`, and a pack by path."""

import os

import numpy as np
import pytest

from testkit.insightface_pack import paint, write_pack

pytest.importorskip("sagemaker_inference", reason="needs the extra `serve`: sagemaker-inference")

from PIL import Image

from faceveil.detect.build import build_analyzer
from faceveil.errors import LicenceError
from faceveil.faces import FrameFaces
from handler import check
from handler.options import ServiceOptions
from handler.service import Service
from testkit.request_pictures import encoded


def answer(monkeypatch, body, **variables):
    """What a server with these variables answers, after the check it makes before it listens."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert check.main() == 0
    options = ServiceOptions.from_environment(variables)
    return FrameFaces.from_json(Service(build_analyzer(options.analyzer), options).answer(body))


def test_dlib_answers_from_an_empty_weights_folder(monkeypatch, tmp_path, portrait):
    pytest.importorskip("dlib", reason="needs the extra `dlib`")
    seen = answer(
        monkeypatch,
        portrait,
        FACEVEIL_DETECTOR="dlib-hog",
        FACEVEIL_RECOGNIZER="dlib-resnet",
        FACEVEIL_WEIGHTS=str(tmp_path),
    )
    assert seen.features.shape == (len(seen), 128)
    assert seen.models.recognizer == "dlib-resnet"
    assert seen.accepted.sum() == 1


@pytest.fixture
def pack(monkeypatch, tmp_path):
    """The variables of a server with a pack, whose weights folder cannot be written."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    folder = write_pack(tmp_path / "buffalo_l")
    names = ("FACEVEIL_DETECTOR", "FACEVEIL_RECOGNIZER")
    return {**dict.fromkeys(names, str(folder)), "FACEVEIL_WEIGHTS": "/proc/faceveil"}


def test_a_pack_is_refused_before_the_server_listens(monkeypatch, pack, capsys):
    for name, value in pack.items():
        monkeypatch.setenv(name, value)
    assert check.main() == LicenceError.exit_code
    assert "FACEVEIL_ACCEPT_LICENCE=on" in capsys.readouterr().err


def test_a_pack_answers_where_the_weights_folder_is_read_only(monkeypatch, pack, tmp_path):
    picture = np.zeros((320, 480, 3), np.uint8)
    paint(picture, 32, 5, 4)
    body = encoded(Image.fromarray(picture), "PNG")
    seen = answer(monkeypatch, body, **pack, FACEVEIL_ACCEPT_LICENCE="on")
    assert seen.models.detector == "det_10g.onnx"
    assert len(seen) == 1
    (private,) = tmp_path.glob("faceveil-*")
    assert private.stat().st_mode & 0o077 == 0


def test_a_folder_that_others_may_write_to_is_not_trusted(monkeypatch, pack, tmp_path, capsys):
    (tmp_path / f"faceveil-{os.getuid()}").mkdir(mode=0o777)
    (tmp_path / f"faceveil-{os.getuid()}").chmod(0o777)
    for name, value in {**pack, "FACEVEIL_ACCEPT_LICENCE": "on"}.items():
        monkeypatch.setenv(name, value)
    assert check.main() == 6
    assert "only you can use" in capsys.readouterr().err
