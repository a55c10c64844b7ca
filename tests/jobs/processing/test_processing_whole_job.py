"""A job in Processing jobs gives what `faceveil veil` gives of the same frames, on any number of
hosts.

Real: S3 (SeaweedFS), the program of the image, all networks. Simulated: SageMaker's control plane
(LocalCloud), and that it starts the hosts (LocalProcessing).
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from faceveil import VeilStyle, veil
from faceveil.cli.main import main
from faceveil.corrections.document import Corrections, write_corrections
from faceveil.corrections.entries import BoxAt, Draw, Track
from faceveil.faces import Kind
from faceveil.jobs.keys import Keys
from faceveil.media.folder import FolderSource
from faceveil.schemas import load_schema
from testkit.clips import make_clip, write_frames
from testkit.portraits import portrait_path

FRAMES = 12
KEPT = "obama3"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Frames of portraits that move, in a folder."""
    folder = tmp_path_factory.mktemp("clip") / "frames"
    write_frames(make_clip(480, 270, FRAMES), folder)
    return folder


@pytest.fixture(scope="module")
def veiled_here(clip):
    """Name and content of the frames as the command veils them, keeping one person."""
    output = clip.parent / "veiled"
    veil(clip, output, keep=portrait_path(KEPT), style=VeilStyle())
    return {path.name: path.read_bytes() for path in sorted(output.iterdir())}


@pytest.fixture
def submit(deployment, clip, s3_url, monkeypatch):
    """Brings frames and job.json with `faceveil aws`, as a user does."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
    monkeypatch.setenv("FACEVEIL_BUCKET", deployment.bucket.bucket)

    def submit(*words, job="talk"):
        assert main(["aws", "upload", str(clip), "--job", job, "--quiet"]) == 0
        return main(["aws", "submit", job, "--as", "processing", *words])

    return submit


@pytest.mark.slow
@pytest.mark.parametrize("hosts", [1, 2, 5])
def test_any_number_of_hosts_veils_as_the_command_does(deployment, submit, veiled_here, hosts):
    assert submit("--keep", str(portrait_path(KEPT)), "--instance-count", str(hosts)) == 0
    assert deployment.start() == "submitted"
    assert deployment.run() == "completed", deployment.hosts.told
    assert deployment.objects("jobs/talk/veiled/") == veiled_here
    names = [request["ProcessingJobName"] for request in deployment.requests]
    assert names == ["faceveil-talk", *(["faceveil-talk-render"] if hosts > 1 else [])]
    types = [event.detail_type.removeprefix("FaceVeil Job ") for event in deployment.events]
    assert types == ["Submitted", "Analysed", "Completed"]
    results = deployment.objects("jobs/talk/")
    report = json.loads(results["report.json"])
    Draft202012Validator(load_schema("report")).validate(report)
    Draft202012Validator(load_schema("analysis")).validate(json.loads(results["analysis.json"]))
    assert report["verification"]["looked_at"] > 0


@pytest.mark.slow
def test_one_host_writes_detections_with_their_own_key(deployment, submit):
    """A Processing job has one key for all it writes, so another one renders."""
    deployment.machines = replace(deployment.machines, keys=Keys("results", "detections"))
    assert submit("--instance-count", "1", "--verify-frames", "off") == 0
    assert deployment.start() == "submitted"
    assert deployment.run() == "completed", deployment.hosts.told
    keys = {}
    for request in deployment.requests:
        config = request["ProcessingOutputConfig"]
        for output in config["Outputs"]:
            assert output["OutputName"] not in keys
            keys[output["OutputName"]] = config["KmsKeyId"]
    assert keys == {"detections": "detections", "job": "results"}
    clusters = [sent["ProcessingResources"]["ClusterConfig"] for sent in deployment.requests]
    counts = [cluster["InstanceCount"] for cluster in clusters]
    assert counts == [1, 1]


@pytest.mark.slow
def test_hosts_render_with_corrections_as_the_command_does(deployment, submit, clip, tmp_path):
    source = FolderSource(clip)
    boxes = np.tile(np.array([200, 8, 240, 48], np.float32), (5, 1))
    track = Track(np.arange(4, 9, dtype=np.int32), boxes)
    drawn = Draw("o1", Kind.FACE, (BoxAt(6, (200.0, 8.0, 240.0, 48.0)),), track)
    corrections = Corrections(source.digest(), "frames", FRAMES).with_change(drawn, by="Ada")
    document = tmp_path / "corrections.json"
    write_corrections(corrections, document)
    assert submit("--nobody", "--corrections", str(document), "--instance-count", "2") == 0
    assert deployment.start() == "submitted"
    assert deployment.run() == "completed", deployment.hosts.told
    results = deployment.objects("jobs/talk/")
    (tmp_path / "analysis.json").write_bytes(results["analysis.json"])
    words = ["render", clip, tmp_path / "analysis.json", tmp_path / "here", "--corrections"]
    words += [document, "--verify-frames", "off", "--quiet"]
    assert main([str(word) for word in words]) == 0
    here = {path.name: path.read_bytes() for path in sorted((tmp_path / "here").iterdir())}
    assert deployment.objects("jobs/talk/veiled/") == here
    before = [path.read_bytes() for path in sorted(clip.iterdir())]
    changed = [number for number, after in enumerate(here.values()) if after != before[number]]
    assert changed == [4, 5, 6, 7, 8]
    report = json.loads(results["report.json"])
    assert report["verification"]["violations"] == []
    assert [row["op"] for row in report["corrections"]["entries"]] == ["draw"]
