"""The cache: fetched once, by one of several processes, never trusted when it has changed."""

import os
import subprocess
import sys

import numpy as np
import pytest

from faceveil.errors import LicenceError, WeightsError
from faceveil.weights import catalogue
from faceveil.weights.manifest import load_manifest
from faceveil.weights.session import open_session
from faceveil.weights.store import locate


@pytest.fixture
def tiny(server, write_manifest, recognizer_bytes):
    """A manifest whose only network is served on this machine."""
    server.files["net.onnx"] = recognizer_bytes
    return write_manifest(f'url = "{server.address}/net.onnx"', "net.onnx", recognizer_bytes)


def test_fetched_once_and_any_batch_goes(cache, server, tiny):
    networks = load_manifest(tiny)
    located = locate("tiny", "recognizer", networks=networks)
    assert located.digest == locate("tiny", "recognizer", networks=networks).digest
    assert server.requests == ["net.onnx"]
    pictures = np.random.default_rng(0).normal(0, 1, (3, 3, 112, 112)).astype(np.float32)
    session = open_session(located.files["model"])
    together = session.run({"data": pictures})[0]
    alone = np.concatenate([session.run({"data": picture[None]})[0] for picture in pictures])
    np.testing.assert_allclose(together, alone, atol=1e-5)


FETCH = """
import sys
from pathlib import Path
from faceveil.weights.manifest import load_manifest
from faceveil.weights.store import locate
located = locate("tiny", "recognizer", networks=load_manifest(Path(sys.argv[1])))
print(located.files["model"].stat().st_size)
"""


@pytest.mark.slow
def test_two_processes_at_once_fetch_once(cache, server, tiny):
    server.delay = 1.0  # long enough for both to want it
    command = [sys.executable, "-c", FETCH, str(tiny)]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    assert answers[0][0] == answers[1][0]
    assert server.requests == ["net.onnx"]
    assert sorted(path.name for path in (cache / "tiny").iterdir()) == ["index.json", "model.onnx"]


def test_a_wrong_hash_leaves_nothing_in_the_cache(cache, server, tiny):
    server.files["net.onnx"] = server.files["net.onnx"][:-1] + b"!"
    with pytest.raises(WeightsError, match="has sha256"):
        locate("tiny", "recognizer", networks=load_manifest(tiny))
    assert not list(cache.rglob("*.onnx"))
    assert not list(cache.rglob("index.json"))


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone", "index"])
def test_a_damaged_cache_is_made_again(cache, server, tiny, damage):
    networks = load_manifest(tiny)
    path = locate("tiny", "recognizer", networks=networks).files["model"]
    good = path.read_bytes()
    if damage == "flipped":
        middle = len(good) // 2
        path.write_bytes(good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :])
    elif damage == "cut":
        path.write_bytes(good[:100])
    elif damage == "gone":
        path.unlink()
    else:
        (path.parent / "index.json").write_text("{}")
    assert locate("tiny", "recognizer", networks=networks).files["model"].read_bytes() == good
    assert len(server.requests) == 2


def test_another_version_of_the_weights_is_fetched_anew(
    cache, server, tiny, write_manifest, recognizer_bytes
):
    first = locate("tiny", "recognizer", networks=load_manifest(tiny))
    other = recognizer_bytes.replace(b"test", b"tEst")
    assert other != recognizer_bytes
    server.files["net.onnx"] = other
    manifest = write_manifest(f'url = "{server.address}/net.onnx"', "net.onnx", other)
    second = locate("tiny", "recognizer", networks=load_manifest(manifest))
    assert first.digest != second.digest
    assert len(server.requests) == 2


def test_a_folder_of_converted_weights_needs_no_network(cache, server, tiny, tmp_path, monkeypatch):
    """A model artifact: the cache folder copied elsewhere and used there."""
    networks = load_manifest(tiny)
    first = locate("tiny", "recognizer", networks=networks)
    copied = tmp_path / "artifact"
    cache.rename(copied)
    monkeypatch.setenv("FACEVEIL_WEIGHTS", str(copied))
    second = locate("tiny", "recognizer", networks=networks)
    assert second.files["model"].parent == copied / "tiny"
    assert (first.digest, len(server.requests)) == (second.digest, 1)


def test_a_cache_that_cannot_be_written_says_so(server, tiny, tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("FACEVEIL_WEIGHTS", str(blocked))
    with pytest.raises(WeightsError, match=r"cannot be written.*FACEVEIL_WEIGHTS"):
        locate("tiny", "recognizer", networks=load_manifest(tiny))
    assert server.requests == []


def test_a_refused_licence_fetches_nothing(cache, server, write_manifest, recognizer_bytes):
    server.files["net.onnx"] = recognizer_bytes
    manifest = write_manifest(
        f'url = "{server.address}/net.onnx"', "net.onnx", recognizer_bytes, commercial_use=False
    )
    networks = load_manifest(manifest)
    with pytest.raises(LicenceError, match="does not allow commercial use"):
        locate("tiny", "recognizer", networks=networks)
    assert server.requests == []
    locate("tiny", "recognizer", accept_licence=True, networks=networks)
    with pytest.raises(LicenceError):  # having it in the cache changes nothing
        locate("tiny", "recognizer", networks=networks)


def test_catalogue_lists_fetches_and_verifies(cache, server, tiny):
    networks = load_manifest(tiny)

    def state():
        (row,) = catalogue.list_networks(networks)
        (checked,) = catalogue.verify_networks(networks=networks)
        return row.state, checked.state

    assert state() == ("missing", "missing")
    lines = []
    (located,) = catalogue.fetch_networks(["tiny"], networks=networks, progress=lines.append)
    assert len(lines) == 1 and "tiny" in lines[0]
    assert state() == ("cached", "intact")
    with located.files["model"].open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    assert state() == ("cached", "corrupt")
    assert len(server.requests) == 1


def test_the_default_networks_are_known():
    networks = load_manifest()
    assert set(catalogue.DEFAULT_NETWORKS) <= set(networks)
