"""The same job between two folders, as a SageMaker Processing Job mounts them."""

import json
from dataclasses import replace

import pytest

from faceveil.cli.postprocess import main
from faceveil.corrections.document import Corrections, to_json
from faceveil.corrections.entries import BoxAt, Decide, Target
from faceveil.errors import InputError
from faceveil.jobs import state_machine
from faceveil.jobs.steps import processing_job as processing
from faceveil.media.folder import FolderSource
from testkit.made_job import NoFaces, document, faces_at, write_frames

SAMPLED = {"sampling": {"mode": "adaptive"}}


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """What is mounted at /opt/ml/processing/input. Nobody looks at the output."""
    monkeypatch.setattr(processing, "analyzer_of", lambda networks: NoFaces())
    folder = tmp_path / "input"
    for number, path in enumerate(sorted(write_frames(folder / "frames").iterdir())):
        answer = folder / "detections" / f"{path.name}.out"
        answer.parent.mkdir(exist_ok=True)
        answer.write_bytes(faces_at(number).to_json())
    (folder / "job").mkdir()
    (folder / "job" / "job.json").write_text(json.dumps(document()))
    return folder


def test_it_gives_the_frames_that_s3_would_hold(inputs, made, tmp_path):
    output = tmp_path / "output"
    assert main(["process", "--input", str(inputs), "--output", str(output)]) == 0
    made.upload()
    veiled = {path.name: path.read_bytes() for path in (output / "veiled").iterdir()}
    assert veiled == made.rendered_here()
    report = json.loads((output / "report.json").read_text())
    assert report["verification"]["veils"] > 0
    assert (output / "analysis.json").is_file()


def test_it_renders_with_the_corrections_that_are_mounted(inputs, made, tmp_path):
    source = FolderSource(inputs / "frames")
    ann = BoxAt(5, tuple(faces_at(5).boxes[0].tolist()))
    corrections = Corrections(source.digest(), "frames", source.frame_count).with_change(
        Decide(Target(sequence=ann), "keep"), by="Ada"
    )
    key = "jobs/talk/corrections/review.json"
    (inputs / "job" / "job.json").write_text(json.dumps(document(corrections=key)))
    with pytest.raises(InputError, match=f"mount {key} there"):
        processing.process(inputs, tmp_path / "output")
    (inputs / "corrections").mkdir()
    (inputs / "corrections" / "review.json").write_bytes(to_json(corrections))
    assert processing.process(inputs, tmp_path / "output") == "completed"
    report = json.loads((tmp_path / "output" / "report.json").read_text())
    assert [row["op"] for row in report["corrections"]["entries"]] == ["decide"]

    made.upload(corrections=key)
    made.bucket.write(key, to_json(corrections))
    state_machine.run_whole_job(made.run())
    veiled = {path.name: path.read_bytes() for path in (tmp_path / "output" / "veiled").iterdir()}
    assert veiled == made.objects("veiled/")

    other = replace(corrections, digest=f"sha256:{'9' * 64}")
    (inputs / "corrections" / "review.json").write_bytes(to_json(other))
    with pytest.raises(InputError, match="another input"):
        processing.process(inputs, tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(("fields", "unknown"), [(SAMPLED, []), ({}, [1, 2, 14, 15, 16, 17])])
def test_frames_between_looks_that_agree_are_known_where_the_job_says_so(
    inputs, tmp_path, fields, unknown
):
    for number in (1, 2, 14, 15, 16, 17):
        (inputs / "detections" / f"img{number + 1:07d}.png.out").unlink()
    (inputs / "job" / "job.json").write_text(json.dumps(document(**fields)))
    assert processing.process(inputs, tmp_path / "output") == "completed"
    analysis = json.loads((tmp_path / "output" / "analysis.json").read_text())
    assert analysis["unknown_frames"] == unknown


def test_a_job_that_cannot_be_used_is_said_with_an_exit_code(inputs, tmp_path, capsys):
    (inputs / "job" / "job.json").write_text("{}")
    words = ["process", "--input", str(inputs), "--output", str(tmp_path / "output")]
    assert main(words) == InputError.exit_code
    assert "job.json" in capsys.readouterr().err


def test_photos_that_are_not_mounted_are_named(inputs, tmp_path):
    selection = {"mode": "keep", "references": {"Ann": "jobs/talk/references/ann/"}}
    (inputs / "job" / "job.json").write_text(json.dumps(document(selection=selection)))
    with pytest.raises(InputError, match=r"selection\.references\.Ann: no photos"):
        processing.process(inputs, tmp_path / "output")


@pytest.mark.parametrize(
    ("words", "question"),
    [
        (["chunk", "--job", "x", "--bucket", "b"], "no chunk named"),
        (["run", "--bucket", "b"], "no job named"),
        (["run", "x"], "which bucket?"),
    ],
)
def test_what_is_missing_is_asked_for(words, question, capsys, monkeypatch):
    monkeypatch.delenv("AWS_BATCH_JOB_ARRAY_INDEX", raising=False)
    monkeypatch.delenv("FACEVEIL_BUCKET", raising=False)
    assert main(words) == 2
    assert question in capsys.readouterr().err
