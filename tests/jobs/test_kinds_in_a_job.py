"""Plates in the cloud: the server finds them, the job follows, veils and verifies them."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image as Picture

from faceveil.cli.main import main
from faceveil.errors import InputError, UsageError
from faceveil.faces import FrameFaces, Kind
from faceveil.jobs import state_machine
from faceveil.jobs.detections.sampled import answered, plan_coarse, plan_refine, read_answered
from faceveil.jobs.failure import fail_job
from faceveil.jobs.job import read_job
from faceveil.jobs.job_folder import load_job
from faceveil.jobs.settings import analyzer_of
from faceveil.media.folder import FolderSource
from faceveil.schemas import load_schema
from handler.options import ServiceOptions
from handler.service import Service, build_analyzer
from testkit import made_networks
from testkit.made_job import document
from testkit.servers.model_server import start_server

COUNT, WIDTH, HEIGHT = 12, 320, 192


def plate_box(number):
    return 40 + 6 * number, 120, 96 + 6 * number, 144


@pytest.fixture
def plates(tmp_path):
    path = tmp_path / "plates.onnx"
    path.write_bytes(made_networks.yellow_detector("n7"))
    return f"{path}:kind=plate,accept=0.4"


@pytest.fixture
def service(plates):
    """What a worker of the server runs, with the options of its environment."""
    options = ServiceOptions.from_environment(
        {"FACEVEIL_ALSO": plates, "FACEVEIL_DETECTOR": "centerface"}
    )
    return Service(build_analyzer(options.analyzer), options)


def write_plates(made, shown_from=0):
    """Frames that show a plate from one frame on, and nothing else: paths of pictures."""
    folder = made.folder / "frames"
    folder.mkdir()
    ground = np.random.default_rng(0).integers(80, 100, (HEIGHT, WIDTH, 3), np.uint8)
    paths = []
    for number in range(COUNT):
        picture = ground.copy()
        x1, y1, x2, y2 = plate_box(number)
        if number >= shown_from:
            picture[y1:y2, x1:x2] = made_networks.YELLOW
        paths.append(folder / f"img{number + 1:07d}.png")
        Picture.fromarray(picture).save(paths[-1])
        made.place.write(f"frames/{paths[-1].name}", paths[-1].read_bytes())
    return paths


def submit(made, plates, **fields):
    networks = {"detector": "centerface", "also": [plates]}
    job = document(networks=networks, selection={"mode": "none"}, **fields)
    job["frames"]["digest"] = FolderSource(made.folder / "frames").digest()
    Draft202012Validator(load_schema("job")).validate(job)
    made.place.write("job.json", json.dumps(job).encode())


@pytest.fixture
def with_plates(made, service, plates):
    """The job: its frames show a plate and nothing else; the server made the detections."""
    for path in write_plates(made):
        made.detections.write(f"{path.name}.out", service.answer(path.read_bytes()))
    screen = {"frames": [2, 4], "box": [0.75, 0, 1, 0.25], "kind": "screen"}
    submit(made, plates, regions=[screen])
    return made


def test_the_answers_follow_the_schema(with_plates):
    for number in range(COUNT):
        answer = with_plates.detections.read(f"img{number + 1:07d}.png.out")
        Draft202012Validator(load_schema("detections")).validate(json.loads(answer))
        plates = FrameFaces.from_json(answer).of_kind(Kind.PLATE)
        np.testing.assert_allclose(plates.boxes[0], plate_box(number), atol=2)


def test_the_job_veils_and_verifies_them(with_plates):
    """Although no one is to be veiled; and the region in its two frames."""
    job = with_plates.run().job
    run = with_plates.run(analyzer=lambda: analyzer_of(job.networks))
    assert state_machine.run_whole_job(run) == "completed"
    results = with_plates.results()
    analysis = json.loads(results["analysis.json"])
    Draft202012Validator(load_schema("analysis")).validate(analysis)
    report = json.loads(results["report.json"])
    Draft202012Validator(load_schema("report")).validate(report)
    kinds = [item["kind"] for item in analysis["sequences"] if "kind" in item]
    assert kinds == ["plate", "screen"]
    assert report["verification"]["violations"] == []
    assert report["verification"]["veils"] == COUNT + 2
    for number in range(COUNT):
        name = f"img{number + 1:07d}.png"
        with Picture.open(with_plates.folder / "frames" / name) as before:
            shown = np.asarray(before)
        path = with_plates.folder / name
        path.write_bytes(results[f"veiled/{name}"])
        after = np.asarray(Picture.open(path))
        x1, y1, x2, y2 = plate_box(number)
        assert (after[y1:y2, x1:x2] != made_networks.YELLOW).any(axis=2).all()
        assert (after != shown)[:48, 240:].any() == (number in (2, 3))


def test_the_same_objects_again(with_plates):
    """A second run of the job makes the same bytes."""
    job = with_plates.run().job
    run = with_plates.run(analyzer=lambda: analyzer_of(job.networks))
    state_machine.run_whole_job(run)
    first = {k: hashlib.sha256(v).hexdigest() for k, v in with_plates.objects("veiled/").items()}
    state_machine.run_whole_job(with_plates.run(analyzer=lambda: analyzer_of(job.networks)))
    again = {k: hashlib.sha256(v).hexdigest() for k, v in with_plates.objects("veiled/").items()}
    assert first == again


def test_a_job_that_does_not_name_them_is_refused_before_it_renders(
    with_plates, plates, s3_url, monkeypatch
):
    """Else its output is verified without the network that found the plates. What was detected is
    kept, and a job over it that names the network completes."""
    document = json.loads(with_plates.place.read("job.json"))
    document["networks"] = {"detector": "centerface"}
    with_plates.place.write("job.json", json.dumps(document).encode())
    run = with_plates.run()
    run = with_plates.run(analyzer=lambda: analyzer_of(run.job.networks))
    with pytest.raises(InputError, match=r"networks\.also: plates.*render-again") as refusal:
        state_machine.run_whole_job(run)
    assert not with_plates.objects("veiled/")
    fail_job(with_plates.bucket, run.job.id, "analyse", refusal.value, run.announce)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
    words = ["render-again", run.job.id, "again", "--bucket", with_plates.bucket.bucket]
    assert main(["aws", *words, "--also", plates]) == 0
    job = load_job(with_plates.bucket, "again")
    again = replace(run, job=job, analyzer=lambda: analyzer_of(job.networks))
    assert state_machine.run_whole_job(again) == "completed"


@pytest.fixture
def served(plates):
    """The real model server, told by its environment what to detect beside faces."""
    pytest.importorskip("mms", reason="needs the extra `serve`: multi-model-server")
    from handler.frontend import java

    try:
        java()
    except UsageError as error:
        pytest.skip(str(error))
    variables = {"FACEVEIL_ALSO": plates, "FACEVEIL_DETECTOR": "centerface"}
    with start_server(SAGEMAKER_MODEL_SERVER_WORKERS="1", **variables) as server:
        server.wait_until_ready()
        yield server


def test_a_sampled_job_of_plates_over_the_real_server(made, served, plates):
    """A plate that appears between two frames of the coarse pass is detected in the second, and
    veiled from its first frame on; where the coarse frames agree, nothing is detected."""
    paths, step = write_plates(made, shown_from=7), 6
    submit(made, plates, sampling={"mode": "adaptive", "step": step})
    asked = []

    def detect(numbers):
        for number in numbers:
            answer = served.post(paths[number].read_bytes(), "image/png")
            assert answer.status == 200
            made.detections.write(f"{paths[number].name}.out", answer.body)
            asked.append(number)

    coarse = plan_coarse(COUNT, step).tolist()
    detect(coarse)
    names = [(number, paths[number].name) for number in coarse]
    found = read_answered(made.detections, names, answered(made.detections))
    detect(plan_refine(found, COUNT, step).tolist())
    assert sorted(asked) == [0, *range(6, COUNT)]
    job = made.run().job
    run = made.run(analyzer=lambda: analyzer_of(job.networks))
    assert state_machine.run_whole_job(run) == "completed"
    results = made.results()
    assert json.loads(results["report.json"])["verification"]["violations"] == []
    for number in range(7, COUNT):
        path = made.folder / "veiled.png"
        path.write_bytes(results[f"veiled/{paths[number].name}"])
        x1, y1, x2, y2 = plate_box(number)
        with Picture.open(path) as veiled:
            shown = np.asarray(veiled)[y1:y2, x1:x2] == made_networks.YELLOW
        assert not shown.all(axis=2).any(), number


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"networks": {"also": ["p.onnx:kind=dragon"]}}, r"networks\.also.*dragon"),
        ({"regions": [{"frames": [1, 2], "box": [5, 5, 5, 9]}]}, r"regions\[0\].*empty"),
        ({"regions": [{"box": [1, 2, 3, 4]}]}, r"regions\[0\]"),
        ({"regions": [{"frames": [1, 2], "box": [1, 2, 3, 4], "kind": "face"}]}, "kind"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(fields, message):
    with pytest.raises(InputError, match=message):
        read_job(json.dumps(document(**fields)).encode(), "job.json")
