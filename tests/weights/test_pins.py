"""A network whose sha256 is not known is used only after a user has pinned it."""

import hashlib

import pytest

from faceveil.cli.main import main
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.errors import UsageError, WeightsError
from faceveil.identity.thresholds import thresholds_of
from faceveil.weights import manifest
from faceveil.weights.catalogue import fetch_networks, list_networks, verify_networks
from faceveil.weights.manifest import load_manifest
from faceveil.weights.store import locate
from testkit import made_networks

DETECTOR, RECOGNIZER = made_networks.retinaface_maps(), made_networks.recognizer(160, True)
NAMES = ("deepface-retinaface", "facenet512")


@pytest.fixture
def networks(tmp_path, server, cache, monkeypatch):
    """The built-in manifest with DeepFace's pair served on this machine."""
    text = manifest.BUILT_IN_MANIFEST.read_text()
    address = "https://github.com/serengil/deepface_models/releases/download/v1.0"
    assert text.count(address) == 2
    path = tmp_path / "manifest.toml"
    path.write_text(
        text.replace(address, server.address).replace("feature_size = 512", "feature_size = 8")
    )
    server.files = {"retinaface.onnx": DETECTOR, "facenet512_weights.onnx": RECOGNIZER}
    monkeypatch.setattr(manifest, "BUILT_IN_MANIFEST", path)
    return load_manifest()


def test_the_first_fetch_shows_the_hash_and_asks_to_pin_it(networks, cache, server):
    digest = hashlib.sha256(DETECTOR).hexdigest()
    with pytest.raises(WeightsError) as refusal:
        locate("deepface-retinaface", "detector", networks=networks)
    text = str(refusal.value)
    assert f"faceveil weights fetch deepface-retinaface --trust-hash {digest}" in text
    assert f"{len(DETECTOR)} bytes" in text
    assert not list(cache.rglob("*.onnx"))


def test_after_pinning_it_is_used_without_asking(networks, server, portrait):
    for name, data in zip(NAMES, (DETECTOR, RECOGNIZER), strict=True):
        digest = hashlib.sha256(data).hexdigest()
        fetch_networks([name], trust=digest, networks=networks)
    fetched = len(server.requests)
    options = AnalyzerOptions(detector=NAMES[0], recognizer=NAMES[1])
    found = build_analyzer(options)(portrait)
    assert (found.models.detector, found.models.recognizer) == NAMES
    assert found.features.shape[1] == 8
    assert len(server.requests) == fetched
    states = {row.network.name: row.state for row in list_networks(networks)}
    assert [states[name] for name in NAMES] == ["cached", "cached"]
    assert [row.state for row in verify_networks(NAMES, networks=networks)] == ["intact"] * 2


def test_another_file_than_the_pinned_one_is_refused(networks, server):
    digest = hashlib.sha256(DETECTOR).hexdigest()
    server.files["retinaface.onnx"] = made_networks.yunet()
    with pytest.raises(WeightsError, match=f"expected {digest}"):
        fetch_networks(["deepface-retinaface"], trust=digest, networks=networks)


def test_a_file_of_another_family_is_refused_although_it_is_trusted(networks, server):
    data = made_networks.yunet()
    server.files["retinaface.onnx"] = data
    with pytest.raises(WeightsError, match="of the family yunet, not retinaface-maps"):
        fetch_networks(
            ["deepface-retinaface"], trust=hashlib.sha256(data).hexdigest(), networks=networks
        )


def test_what_cannot_be_pinned(networks):
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        fetch_networks(["facenet512"], trust="abc", networks=networks)
    with pytest.raises(UsageError, match="cannot be replaced"):
        fetch_networks(["mtcnn"], trust="0" * 64, networks=networks)
    with pytest.raises(UsageError, match="pins one network"):
        fetch_networks(NAMES, trust="0" * 64, networks=networks)


def test_the_command_shows_the_hash_and_takes_it(networks, capsys):
    assert main(["weights", "fetch", "facenet512"]) == WeightsError.exit_code
    digest = hashlib.sha256(RECOGNIZER).hexdigest()
    assert f"--trust-hash {digest}" in capsys.readouterr().err
    assert main(["weights", "fetch", "facenet512", "--trust-hash", digest]) == 0
    assert "facenet512: ready" in capsys.readouterr().out


def test_the_thresholds_are_those_of_the_pair():
    """DeepFace's own: a cosine distance of 0.30."""
    assert thresholds_of("facenet512").accept == pytest.approx(0.7)


def test_nothing_else_is_unpinned():
    """A hash is left open only where the file could not be fetched, and the manifest says so."""
    networks = load_manifest()
    assert tuple(n for n, network in networks.items() if not network.is_pinned) == NAMES
    for name in NAMES:
        assert "never run here with its real weights" in networks[name].summary
