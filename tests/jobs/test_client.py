"""What a backend is told of a job, and what it can ask for, over a real S3.

The jobs are done by the library's own steps; the networks are left out (made_job.NoFaces).
"""

import hashlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from faceveil.aws.s3 import S3Location
from faceveil.errors import InputError, OutputError, UsageError
from faceveil.jobs import state_machine
from faceveil.jobs.client import JobClient
from faceveil.jobs.job import read_job
from faceveil.jobs.job_folder import UnknownJobError
from faceveil.jobs.steps.analyse import analyse_job
from faceveil.jobs.steps.render import render_chunk
from testkit.made_job import (
    ANN,
    FIRST_WITHOUT_VEIL,
    FRAMES,
    HEIGHT,
    JOB_ID,
    PREFIX,
    WIDTH,
    MadeJob,
    document,
)

AGAIN = "talk-again"
BOB_AT = {"frame": 9, "x": 107, "y": 50}


@pytest.fixture
def made(busy_bucket, s3_url, tmp_path):
    """The made job in the bucket that tests share, emptied afterwards."""
    made = MadeJob(S3Location.open(f"s3://{busy_bucket}", s3_url), tmp_path)
    yield made
    made.remove_all()


@pytest.fixture
def client(made, s3_url):
    return JobClient(made.bucket.bucket, endpoint_url=s3_url)


@pytest.fixture
def done(uploaded):
    """The made job, completed: everyone is veiled."""
    state_machine.run_whole_job(uploaded.run())
    return uploaded


def run_again(made, client, job_id=AGAIN):
    """What the deployment does with a job over detections that exist."""
    state_machine.run_whole_job(replace(made.run(), job=client.job(job_id)))


def test_the_same_job_is_submitted_once_and_another_of_its_id_refused(made, client):
    job = client.submit(document())
    assert job == read_job(made.place.read("job.json"), f"{PREFIX}job.json")
    (before,) = [item for page in made.place.pages() for item in page]
    reordered = dict(reversed(document().items()))
    assert client.submit(json.dumps(reordered).encode()) == job
    assert [item for page in made.place.pages() for item in page] == [before]
    with pytest.raises(InputError, match="another job has this id"):
        client.submit(document(selection={"mode": "none"}))
    assert client.job(JOB_ID) == job


def test_a_job_that_could_not_be_started_is_corrected_under_its_id(made, client):
    wrong = client.submit(document(transform={"instance_type": "ml.x1.large"}))
    digest = f"sha256:{hashlib.sha256(made.place.read('job.json')).hexdigest()}"
    note = {"stage": "submit", "error": "OutputError", "reason": "no such type", "job_json": digest}
    made.place.write("error.json", json.dumps(note).encode())
    assert client.submit(document(transform={"instance_type": "ml.x1.large"})) == wrong
    assert str(client.status(JOB_ID)) == "failed at submit: no such type"
    right = client.submit(document())
    assert client.job(JOB_ID) == right != wrong
    # Before the submit function has seen it, too.
    assert str(client.status(JOB_ID)) == "submitted"
    made.place.write("submit/started.json", b"{}")
    assert client.status(JOB_ID).state == "failed"
    with pytest.raises(InputError, match="another job has this id"):
        client.submit(document(selection={"mode": "none"}))


def test_a_job_that_cannot_be_used_is_not_written(made, client):
    with pytest.raises(InputError, match=r"frames\.prefix: 'frames'"):
        client.submit(document(frames={"prefix": "frames"}))
    with pytest.raises(InputError, match="cannot be written as JSON"):
        client.submit(document(selection={"mode": {1, 2}}))
    assert made.objects() == {}


def test_the_status_follows_the_job_through_all_states(made, client):
    with pytest.raises(UnknownJobError, match="there is no such job"):
        client.status(JOB_ID)
    made.upload()
    answers = made.detected()
    made.detections.delete(list(answers)[5:])
    status = client.status(JOB_ID)
    assert (status.state, status.frames, status.frames_detected) == ("submitted", FRAMES, 0)
    assert status.ended is None
    made.place.write("submit/started.json", b"{}")
    assert str(client.status(JOB_ID)) == f"detecting: 5 of {FRAMES} frames"
    for name, content in answers.items():
        made.detections.write(name, content)
    made.place.write("chunks/claims/start/0000", b"{}")
    assert str(client.status(JOB_ID)) == "analysing"
    analysed = analyse_job(made.run(), chunk_frames=10)
    assert str(client.status(JOB_ID)) == "rendering: 0 of 3 chunks"
    render_chunk(made.run(), analysed, 1)
    assert str(client.status(JOB_ID)) == "rendering: 1 of 3 chunks"
    state_machine.run_whole_job(made.run())
    status = client.status(JOB_ID)
    assert (status.state, status.frames, status.frames_detected) == ("completed", FRAMES, FRAMES)
    assert (status.chunks, status.chunks_rendered, status.failure) == (3, 3, None)
    assert status.submitted <= status.ended


def test_a_failed_job_says_why(made, client):
    made.upload(selection={"mode": "keep", "identities": [9]})
    with pytest.raises(InputError):
        state_machine.run_whole_job(made.run())
    status = client.wait(JOB_ID)
    assert status.state == "failed"
    assert (status.failure.stage, status.failure.error) == ("analyse", "InputError")
    assert "no identity 9" in str(status)
    assert status.ended is not None
    with pytest.raises(InputError, match="has no results: the job is failed at analyse"):
        client.results(JOB_ID)


def test_a_job_json_that_cannot_be_read_is_an_error_until_the_job_has_failed_for_it(made, client):
    made.place.write("job.json", b"{}")
    with pytest.raises(InputError, match="version: is missing"):
        client.status(JOB_ID)
    detail = {"stage": "submit", "error": "InputError", "reason": "version: is missing"}
    made.place.write("error.json", json.dumps(detail).encode())
    assert str(client.status(JOB_ID)) == "failed at submit: version: is missing"


def test_waiting_ends_with_the_job_or_the_time(uploaded, client):
    seen = []
    status = client.wait(JOB_ID, timeout=0.2, progress=seen.append, pause=0.05)
    assert not status.has_ended
    assert len(seen) > 1

    def finish(status):
        if status.state == "submitted":
            state_machine.run_whole_job(uploaded.run())

    assert client.wait(JOB_ID, timeout=60, progress=finish, pause=0.05).state == "completed"


def test_results_name_what_there_is_and_people_to_pick_from(done, client):
    results = client.results(JOB_ID)
    assert results.report["format"] == "faceveil-report"
    assert sorted(results.sha256) == [f"{PREFIX}veiled/img{n + 1:07d}.png" for n in range(FRAMES)]
    assert (results.output_prefix, results.video_key) == (f"{PREFIX}veiled/", None)
    assert len(results.identities) == 2
    for identity in results.identities:
        assert identity.sequences == identity.veiled_sequences == 1
        x1, y1, x2, y2 = identity.sample_box
        assert 0 <= x1 < x2 <= WIDTH
        assert 0 <= y1 < y2 <= HEIGHT
    ann = min(results.identities, key=lambda identity: identity.first_frame)
    assert ann.sample_frame in ANN
    assert ann.sample_box == pytest.approx(
        (10 + ann.sample_frame, 20, 42 + ann.sample_frame, 60), abs=1
    )


def test_an_address_opens_one_object_without_credentials(done, client):
    key = f"{PREFIX}veiled/img0000001.png"
    url = client.url(key, seconds=60)
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read() == done.bucket.read(key)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url.replace("img0000001", "img0000002"), timeout=10)


def test_an_address_at_aws_is_one_of_the_region_without_headers(aws_credentials):
    url = JobClient("a-bucket", bucket_owner="123456789012").url("frames/a.png")
    assert url.startswith("https://a-bucket.s3.eu-west-1.amazonaws.com/frames/a.png?")
    assert "X-Amz-SignedHeaders=host&" in url


def test_a_person_picked_by_a_point_is_kept_in_a_job_over_the_same_detections(done, client):
    detected = done.detected()
    job = client.render_again(JOB_ID, AGAIN, {"mode": "keep", "points": [BOB_AT]})
    assert job.has_detections
    assert client.render_again(JOB_ID, AGAIN, {"mode": "keep", "points": [BOB_AT]}) == job
    assert client.status(AGAIN).frames_detected == 0
    done.bucket.write(f"jobs/{AGAIN}/submit/started.json", b"{}")
    assert client.status(AGAIN).state == "analysing"
    run_again(done, client)
    results = client.results(AGAIN)
    kept = [identity for identity in results.identities if not identity.veiled_sequences]
    assert [identity.last_frame for identity in kept] == [FIRST_WITHOUT_VEIL - 1]
    assert done.detected() == detected
    assert client.job(AGAIN).frames_prefix == client.job(JOB_ID).frames_prefix
    assert client.results(JOB_ID).identities != results.identities
    # And once more, from the second job, by the number of a person.
    client.render_again(AGAIN, "talk-3", {"mode": "only", "identities": [kept[0].number]})
    run_again(done, client, "talk-3")
    veiled = [row for row in client.identities("talk-3") if row.veiled_sequences]
    assert [row.number for row in veiled] == [kept[0].number]


def test_what_a_job_gives_out_moves_into_the_folder_of_the_new_one(made, client):
    output = {"prefix": f"{PREFIX}out/", "video": {"key": f"{PREFIX}v.mp4", "crf": 20}}
    rest = {"veil": {"style": "solid"}, "sampling": {"mode": "adaptive", "step": 4}}
    made.upload(output=output, transform={"instance_count": 2}, **rest)
    analyse_job(made.run())
    job = client.render_again(JOB_ID, AGAIN, {"mode": "keep", "identities": [0]})
    assert (job.output_prefix, job.video.key) == (f"jobs/{AGAIN}/out/", f"jobs/{AGAIN}/v.mp4")
    assert job.video.encode == client.job(JOB_ID).video.encode
    assert (job.style.name, job.coarse_step) == ("solid", 4)
    written = json.loads(made.bucket.read(f"jobs/{AGAIN}/job.json"))
    assert "transform" not in written


def test_nobody_can_be_chosen_again_without_all_detections(made, client):
    again = {"mode": "keep", "points": [BOB_AT]}
    with pytest.raises(UnknownJobError, match="no such job"):
        client.render_again(JOB_ID, AGAIN, again)
    made.upload()
    with pytest.raises(InputError, match="not complete: the job is submitted"):
        client.render_again(JOB_ID, AGAIN, again)
    made.submit(retention={"delete_features": True})
    with pytest.raises(InputError, match="detections are deleted"):
        client.render_again(JOB_ID, AGAIN, again)


def test_a_click_beside_everybody_can_be_followed_by_a_better_one(made, client):
    made.upload(selection={"mode": "keep", "points": [{"frame": 20, "x": 1, "y": 1}]})
    with pytest.raises(InputError, match="no face"):
        state_machine.run_whole_job(made.run())
    client.render_again(JOB_ID, AGAIN, {"mode": "keep", "points": [BOB_AT]})
    run_again(made, client)
    assert client.status(AGAIN).state == "completed"


def test_what_s3_refuses_is_told_apart(made, s3_url, reader_credentials):
    reader = JobClient(made.bucket.bucket, endpoint_url=s3_url)
    with pytest.raises(OutputError, match="access denied"):
        reader.submit(document())
    with pytest.raises(InputError, match="no such bucket"):
        JobClient("no-such-bucket-here", endpoint_url=s3_url).status(JOB_ID)
    with pytest.raises(UsageError, match="is not an S3 address"):
        JobClient("")


def test_detections_that_may_not_be_listed_are_not_counted(uploaded, faulty):
    uploaded.place.write("submit/started.json", b"{}")

    def refuse(request):
        if request.operation == "LIST" and request.key.startswith("detections/"):
            return 403, "AccessDenied"
        return None

    faulty.rule = refuse
    status = JobClient(uploaded.bucket.bucket, endpoint_url=faulty.url).status(JOB_ID)
    assert (status.frames, status.frames_detected, str(status)) == (FRAMES, None, "detecting")


def test_without_boto3_it_says_what_to_install():
    program = (
        "import sys; sys.modules['boto3'] = None\n"
        "from faceveil.errors import UsageError\n"
        "try:\n    import faceveil.jobs.client\n"
        "except UsageError as problem:\n    print(problem)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "faceveil.jobs.client needs boto3: pip install 'faceveil[aws]'"
