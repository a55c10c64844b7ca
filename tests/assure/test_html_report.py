"""The page that goes with a video asks for nothing, shows no veiled person, and is signed."""

import re
from dataclasses import replace
from html import unescape

import jsonschema
import numpy as np
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from faceveil.analysis import Analysis, SourceInfo
from faceveil.assure.coverage import Coverage
from faceveil.assure.html_report import read_report
from faceveil.assure.kept_pictures import KeptPictures
from faceveil.assure.report import build_report, write_report
from faceveil.assure.signature import PASSWORD, Signer, check_signature
from faceveil.assure.verification import Verification, Violation
from faceveil.cli.main import main
from faceveil.decisions import Decision
from faceveil.errors import InputError, UsageError
from faceveil.faces import DetectionLog, FaceSequence
from faceveil.files import file_digest
from faceveil.schemas import load_schema
from faceveil.veils.styles import VeilStyle

ODD = "<script>alert('Ann')</script> & \"Bo\""
NO_BOXES = np.zeros(0, np.int32), np.zeros((0, 4), np.float32)


def a_sequence(first, last, left):
    frames = np.arange(first, last + 1, dtype=np.int32)
    boxes = np.tile(np.float32([left, 20, left + 40, 70]), (len(frames), 1))
    scores = np.full(len(frames), 0.9, np.float32)
    return FaceSequence(frames, boxes, scores, np.zeros(len(frames), np.uint8))


def analysis_of(kept=(0,), sequences=None, kind="video", rate="25"):
    if sequences is None:
        sequences = [a_sequence(0, 49, 20), a_sequence(10, 30, 200)]
    decisions = [
        Decision(index not in kept, f"reason {index}", person=ODD if index == 0 else "Secret")
        for index in range(len(sequences))
    ]
    log = DetectionLog(*NO_BOXES, np.zeros(0, np.int32))
    source = SourceInfo("talk.mp4", kind, "sha256:" + "a" * 64, 320, 180, 50, rate)
    numbers = np.arange(len(sequences), dtype=np.int32)
    starts, none = np.zeros(1, np.int32), np.zeros(0, np.int32)
    return Analysis(source, None, {}, starts, none, sequences, numbers, decisions, log)


def report_of(analysis, verification=None, **fields):
    return build_report(
        analysis,
        Coverage(21, *NO_BOXES),
        style=VeilStyle(),
        verification=verification,
        output="out.mp4",
        output_digest="sha256:" + "b" * 64,
        seconds={},
        problems=[],
        made="2026-11-29T07:00:00+00:00",
        **fields,
    )


def pictures_of(analysis):
    """Frames in which the place of the kept person is green, that of the other one red."""
    pictures = KeptPictures(analysis)
    for frame in pictures.wanted_frames:
        picture = np.zeros((180, 320, 3), np.uint8)
        picture[:, :130], picture[:, 130:] = (0, 200, 0), (200, 0, 0)
        pictures.add(frame, picture)
    return pictures.pictures


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key.pem"
    write_key(path, Ed25519PrivateKey.generate())
    return path


def write_key(path, key, password=None):
    how = BestAvailableEncryption(password) if password else NoEncryption()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
    path.chmod(0o600)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.with_name(f"public-{path.name}").write_bytes(public)


def seen(page):
    """The text of a page, without its data."""
    return unescape(re.sub(r"<script.*?</script>|<style.*?</style>|<[^>]+>", " ", page, flags=re.S))


def test_the_page_asks_for_nothing_and_runs_nothing(tmp_path):
    analysis = analysis_of()
    write_report(report_of(analysis), tmp_path / "r.html", pictures_of(analysis))
    page = (tmp_path / "r.html").read_text()
    assert "default-src 'none'" in page
    assert [
        item for item in re.findall(r'(?:src|href)="([^"]*)', page) if item[:5] != "data:"
    ] == []
    assert "url(" not in page
    assert re.findall(r"<script[^>]*>", page) == ['<script type="application/json" id="report">']
    assert page.count("</script>") == 1


def test_the_page_holds_the_very_data_of_the_json(tmp_path):
    report = report_of(analysis_of())
    write_report(report, tmp_path / "r.json")
    write_report(report, tmp_path / "r.html")
    read = read_report(tmp_path / "r.html")
    assert read.pop("pictures") == []
    assert read == read_report(tmp_path / "r.json")
    jsonschema.validate(read_report(tmp_path / "r.html"), load_schema("report"))


def test_only_people_who_are_kept_are_shown_and_named(tmp_path):
    """Every picture is green: the kept person's place. The name of a veiled person is not read."""
    analysis = analysis_of()
    pictures = pictures_of(analysis)
    assert {picture.identity for picture in pictures} == {0}
    write_report(report_of(analysis), tmp_path / "r.html", pictures)
    text = seen((tmp_path / "r.html").read_text())
    assert ODD in text
    assert "Secret" not in text
    assert pictures_of(analysis_of(kept=())) == []


def test_identities_tell_spans_and_the_longest_run_without_detection():
    gap = a_sequence(0, 49, 20)
    gap.provenance[12:20] = 2
    first, second = report_of(analysis_of(sequences=[gap, a_sequence(10, 30, 200)]))["identities"]
    assert first["longest_undetected"] == 8
    assert second["longest_undetected"] == 0
    assert first["spans"] == [(0, 49, False)]
    assert second["spans"] == [(10, 30, True)]


@pytest.mark.parametrize(
    "analysis",
    [
        analysis_of(sequences=[]),
        analysis_of(kept=(0, 1)),
        analysis_of(kept=()),
        analysis_of(kind="stills", rate=None),
    ],
    ids=["no faces", "everyone kept", "everyone veiled", "stills"],
)
def test_odd_videos_have_a_page_too(tmp_path, analysis):
    write_report(report_of(analysis), tmp_path / "r.html", pictures_of(analysis))
    assert "Veiling report" in seen((tmp_path / "r.html").read_text())
    jsonschema.validate(read_report(tmp_path / "r.html"), load_schema("report"))


def test_findings_and_corrections_are_listed(tmp_path):
    box = (1.0, 2.0, 30.0, 40.0)
    found = Verification(50, 5, 21, True, [Violation("uncovered", 25, box, 0.8)], [(30, box)])
    entry = {"id": "e1", "at": "2026-11-29T06:00:00Z", "by": "Ada", "op": "remove", "why": "a sign"}
    entry |= {"first": 0, "last": 24}
    corrections = {"digest": "sha256:" + "c" * 64, "entries": [entry]}
    report = report_of(analysis_of(), found, corrections=corrections, reviewer="Ada")
    write_report(report, tmp_path / "r.html")
    text = seen((tmp_path / "r.html").read_text())
    for expected in ("1 frames show", "a face under no veil", "0:00:01.00", "a sign", "c" * 64):
        assert expected in text
    jsonschema.validate(read_report(tmp_path / "r.html"), load_schema("report"))


@pytest.mark.parametrize("name", ["r.json", "r.html"])
def test_a_signed_report_is_checked_and_a_changed_one_refused(tmp_path, key, name, capsys):
    analysis = analysis_of()
    path, public = tmp_path / name, key.with_name("public-key.pem")
    write_report(report_of(analysis), path, pictures_of(analysis), Signer(key))
    jsonschema.validate(read_report(path), load_schema("report"))
    assert main(["verify-report", str(path), "--key", str(public)]) == 0
    assert main(["verify-report", str(path)]) == 0
    assert "signature: valid" in capsys.readouterr().out
    path.write_bytes(path.read_bytes().replace(b"talk.mp4", b"walk.mp4"))
    assert main(["verify-report", str(path), "--key", str(public)]) == 3
    assert "changed after it was signed" in capsys.readouterr().err


def test_another_key_and_no_signature_are_refused(tmp_path, key, capsys):
    write_report(report_of(analysis_of()), tmp_path / "r.json", (), Signer(key))
    write_key(tmp_path / "other.pem", Ed25519PrivateKey.generate())
    with pytest.raises(InputError, match="another key"):
        check_signature(read_report(tmp_path / "r.json"), tmp_path / "public-other.pem")
    write_report(report_of(analysis_of()), tmp_path / "plain.json")
    assert main(["verify-report", str(tmp_path / "plain.json")]) == 0
    key_words = ["--key", str(tmp_path / "public-key.pem")]
    assert main(["verify-report", str(tmp_path / "plain.json"), *key_words]) == 3
    assert "not signed" in capsys.readouterr().err


def test_a_picture_that_was_exchanged_is_found(tmp_path, key):
    analysis = analysis_of()
    write_report(report_of(analysis), tmp_path / "r.html", pictures_of(analysis), Signer(key))
    page = (tmp_path / "r.html").read_text()
    (tmp_path / "r.html").write_text(page.replace("base64,/9j/4", "base64,/9j/5", 1))
    with pytest.raises(InputError, match="pictures"):
        read_report(tmp_path / "r.html")


def test_digests_of_files_are_compared(tmp_path, capsys):
    out, other = tmp_path / "out.mp4", tmp_path / "other.mp4"
    out.write_bytes(b"output")
    other.write_bytes(b"another")
    report = report_of(analysis_of()) | {"output": {"name": "o", "digest": file_digest(out)}}
    write_report(report, tmp_path / "r.json")
    words = ["verify-report", str(tmp_path / "r.json")]
    assert main([*words, "--output", str(out)]) == 0
    assert main([*words, "--output", str(other)]) == 3
    assert "is not the output of the report" in capsys.readouterr().err
    assert main([*words, "--corrections", str(other)]) == 3
    assert main([*words, "--input", str(tmp_path / "none.mp4")]) == 3


@pytest.mark.parametrize("content", [b"", b"{}", b"<html></html>", b"\xff\xfe", b"[1]"])
def test_what_is_no_report_is_refused(tmp_path, content):
    (tmp_path / "r").write_bytes(content)
    assert main(["verify-report", str(tmp_path / "r")]) == 3


def test_keys_that_cannot_sign_are_refused_with_what_to_do(tmp_path, key, monkeypatch):
    monkeypatch.delenv(PASSWORD, raising=False)
    write_key(tmp_path / "ec.pem", generate_private_key(SECP256R1()))
    with pytest.raises(InputError, match="not Ed25519; make one with"):
        Signer(tmp_path / "ec.pem")
    with pytest.raises(InputError, match="no private key in PEM"):
        Signer(tmp_path / "public-key.pem")
    with pytest.raises(InputError, match="cannot be read"):
        Signer(tmp_path / "none.pem")
    key.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        Signer(key)


def test_a_key_with_a_password_takes_it_from_the_environment(tmp_path, monkeypatch):
    write_key(tmp_path / "locked.pem", Ed25519PrivateKey.generate(), b"open sesame")
    monkeypatch.delenv(PASSWORD, raising=False)
    with pytest.raises(InputError, match=f"set {PASSWORD}"):
        Signer(tmp_path / "locked.pem")
    monkeypatch.setenv(PASSWORD, "wrong")
    with pytest.raises(InputError, match="its password"):
        Signer(tmp_path / "locked.pem")
    monkeypatch.setenv(PASSWORD, "open sesame")
    report = Signer(tmp_path / "locked.pem").sign(report_of(analysis_of()))
    assert check_signature(orjson.loads(orjson.dumps(report, option=orjson.OPT_SERIALIZE_NUMPY)))


def test_a_key_is_refused_before_work_and_only_with_a_report(tmp_path, capsys):
    """The input is no video, which would be the next error."""
    talk = tmp_path / "talk.mp4"
    talk.write_bytes(b"none")
    write_key(tmp_path / "ec.pem", generate_private_key(SECP256R1()))
    words = ["veil", str(talk), str(tmp_path / "out.mp4"), "--sign", str(tmp_path / "ec.pem")]
    assert main(words) == 2
    assert main([*words, "--report", str(tmp_path / "r.html")]) == 3
    assert "not Ed25519" in capsys.readouterr().err


def test_who_is_veiled_at_times_is_shown_only_while_kept():
    """A person kept in one shot and veiled in another has pictures of the first alone."""
    shots = [a_sequence(0, 20, 20), a_sequence(30, 49, 200)]
    analysis = replace(analysis_of(sequences=shots), identities=np.zeros(2, np.int32))
    assert {picture.frame <= 20 for picture in pictures_of(analysis)} == {True}
