"""The model artifact: the same bytes each time, what a server can use, and what a reader needs."""

import io
import json
import os
import shutil
import tarfile
import time

import pytest

from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.errors import OutputError
from faceveil.weights import cache
from faceveil.weights.catalogue import ANALYZER_NETWORKS, fetch_networks, verify_networks
from model.build import archive, build, contents, main


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    output = tmp_path_factory.mktemp("artifact") / "model.tar.gz"
    build(output)
    return output


def test_the_same_networks_give_the_same_bytes(artifact, tmp_path, monkeypatch):
    """From another folder, with other times and modes of its files."""
    folder = tmp_path / "weights"
    shutil.copytree(cache.weights_folder(), folder)
    for path in folder.rglob("*"):
        os.utime(path, (1, time.time()))
        path.chmod(0o700)
    monkeypatch.setenv(cache.ENVIRONMENT_VARIABLE, str(folder))
    again = tmp_path / "again.tar.gz"
    build(again)
    assert again.read_bytes() == artifact.read_bytes()


def test_other_content_gives_other_bytes():
    assert archive({"a": b"1"}) != archive({"a": b"2"})
    assert archive({"b": b"1", "a": b"2"}) == archive({"a": b"2", "b": b"1"})


def test_unpacked_it_is_a_weights_folder_with_the_same_answers(artifact, tmp_path, monkeypatch):
    digest = build_analyzer(AnalyzerOptions()).models.digest
    with tarfile.open(artifact) as tar:
        tar.extractall(tmp_path, filter="data")
    monkeypatch.setenv(cache.ENVIRONMENT_VARIABLE, str(tmp_path))
    assert {row.state for row in verify_networks(ANALYZER_NETWORKS)} == {"intact"}
    assert build_analyzer(AnalyzerOptions()).models.digest == digest


def test_nothing_in_it_tells_when_or_by_whom_it_was_made(artifact):
    with tarfile.open(artifact) as tar:
        entries = tar.getmembers()
    assert {(e.mtime, e.uid, e.gid, e.uname, e.gname, e.mode) for e in entries} == {
        (0, 0, 0, "", "", 0o644)
    }


def test_card_and_manifest_name_licence_source_and_training_data_of_every_network():
    located = fetch_networks(ANALYZER_NETWORKS)
    files = contents(located)
    card = files["MODEL_CARD.md"].decode()
    entries = json.loads(files["manifest.json"])["networks"]
    assert [entry["name"] for entry in entries] == list(ANALYZER_NETWORKS)
    for part, entry in zip(located, entries, strict=True):
        for text in (part.network.name, part.network.licence, part.network.training_data):
            assert text in card
        assert entry["training_data"] == part.network.training_data
        assert len(entry["files"]) == len(part.files)


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        build(tmp_path / "missing" / "model.tar.gz")


def test_an_unknown_network_is_refused_with_the_names_there_are(capsys, tmp_path):
    assert main(["--output", str(tmp_path / "m.tar.gz"), "--network", "nobody"]) == 2
    assert "mtcnn" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_command(tmp_path, capsys):
    output = tmp_path / "m.tar.gz"
    assert main(["--output", str(output), "--network", "mtcnn"]) == 0
    assert str(output) in capsys.readouterr().out
    with tarfile.open(fileobj=io.BytesIO(output.read_bytes())) as tar:
        assert sorted({name.split("/")[0] for name in tar.getnames()}) == [
            "MODEL_CARD.md",
            "manifest.json",
            "mtcnn",
        ]
