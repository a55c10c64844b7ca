"""The API of the review server: what it answers, over HTTP, and that its document says so."""

import http.client
import io
import json
import time

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image as Picture

from faceveil.assure.html_report import read_report
from faceveil.corrections.document import read_corrections
from faceveil.review.app import OPENAPI
from testkit.made_review import CUT, FRAMES, HEIGHT, WIDTH, made_review, served

DOCUMENT = json.loads(OPENAPI.read_text())


@pytest.fixture
def studio(tmp_path):
    """A client of a review of two people."""
    with served(*made_review(tmp_path / "talk.mp4")) as client:
        yield client


def check(answer, path, method="get"):
    """Compare an answer with what the OpenAPI document says of its route."""
    operation = DOCUMENT["paths"][path][method]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": DOCUMENT["components"]}
    Draft202012Validator(whole).validate(answer)
    return answer


def wait_for(client, task):
    """Wait until a task is over; return it as it is then."""
    end = time.monotonic() + 120
    while task["state"] == "running" and time.monotonic() < end:
        time.sleep(0.1)
        task = client.get(f"tasks/{task['id']}")
    return check(task, "/tasks/{task}")


def test_the_answers_are_as_the_document_says(studio):
    state = check(studio.get("state"), "/state")
    assert state["video"]["frame_count"] == FRAMES
    assert state["shots"] == [0, CUT]
    people = check(studio.get("people"), "/people")
    assert [(row["identity"], row["frames"]) for row in people["people"]] == [(0, 60), (1, 30)]
    assert len(studio.get("people?offset=1&limit=1")["people"]) == 1
    sequences = check(studio.get("people/0/sequences"), "/people/{identity}/sequences")
    assert [row["first"] for row in sequences["sequences"]] == [0, CUT]
    check(studio.get("sequences/1"), "/sequences/{sequence}")
    boxes = check(studio.get("boxes?first=28&last=31"), "/boxes")
    assert boxes["frames"] == [28, 28, 29, 29, 30, 31]
    assert boxes["boxes"][0] == [78, 80, 128, 150]
    check(studio.get("next"), "/next")  # waits until the risk is computed
    timeline = check(studio.get("timeline?buckets=12"), "/timeline")
    assert len(timeline["risk"]) == 12 and timeline["faces"][0] == 2
    assert len(studio.get("timeline?first=3&last=5&buckets=40")["risk"]) == 40
    check(studio.get("findings"), "/findings")
    check(studio.get("keyframes.json"), "/keyframes.json")
    assert studio.get("openapi.json") == DOCUMENT


def test_every_route_is_in_the_document(tmp_path):
    from faceveil.review.app import Api

    review, outputs = made_review(tmp_path / "talk.mp4")
    routes = Api(review, outputs).routes()
    review.close()
    served_paths = {route.path.replace(":int", "") for route in routes}
    assert served_paths == set(DOCUMENT["paths"])


def test_pictures_show_the_frame(studio):
    for address, size in [
        ("frames/7.jpg?width=320", (320, 180)),
        ("frames/7.jpg?width=4096", (WIDTH, HEIGHT)),
        ("frames/7.jpg?view=veiled", (WIDTH, HEIGHT)),
        ("crops/7.jpg?box=57,80,107,150&size=96", (96, 96)),
    ]:
        status, body, headers = studio.ask("GET", f"/api/v1/{address}")
        assert (status, headers["content-type"]) == (200, "image/jpeg")
        with Picture.open(io.BytesIO(body)) as picture:
            assert picture.size == size


def test_a_person_is_kept_undone_and_kept_again(studio):
    answer = check(
        studio.correct("decide", target={"identity": 0}, decision="keep"), "/corrections", "post"
    )
    assert answer["revision"] == 2
    assert studio.get("boxes?first=0&last=0")["veiled"] == [0, 1]
    assert studio.get("state")["can_undo"]
    assert check(studio.post("undo", {"revision": 2}), "/undo", "post") == {"revision": 3}
    assert studio.get("boxes?first=0&last=0")["veiled"] == [1, 1]
    assert studio.post("redo", {"revision": 3}) == {"revision": 4}
    assert studio.get("boxes?first=0&last=0")["veiled"] == [0, 1]


def test_undo_and_redo_have_no_end(studio):
    """Fifty changes are undone one by one, and made again; a new change leaves nothing to redo."""
    for number in range(50):
        studio.correct("name", identity=0, name=f"name {number}")
    revision = studio.get("state")["revision"]
    for _ in range(50):
        revision = studio.post("undo", {"revision": revision})["revision"]
    assert studio.get("people")["people"][0]["name"] is None
    assert studio.post("undo", {"revision": revision}, 409)["error"]["code"] == "undo"
    for _ in range(30):
        revision = studio.post("redo", {"revision": revision})["revision"]
    assert studio.get("people")["people"][0]["name"] == "name 29"
    studio.correct("name", identity=0, name="another")
    assert not studio.get("state")["can_redo"]


def test_people_are_joined_split_and_moved(studio):
    refused = studio.post(
        "corrections", {"revision": 1, "op": "join", "identities": [0, 1]}, status=409
    )
    assert "two people" in refused["error"]["message"]
    studio.correct("split", sequence=1, frame=10)
    assert studio.get("people/1/sequences")["total"] == 2
    studio.correct("move", sequence=2, identity=None)
    assert studio.get("people")["total"] == 3


def test_a_veil_on_nothing_is_removed_with_a_reason(studio):
    """Of a sequence the veil goes, what was drawn goes whole; the document keeps the reasons."""
    studio.correct("remove", sequence=1, why="a poster")
    assert studio.get("boxes?first=0&last=0")["veiled"] == [1, 0]
    box = {"frame": 5, "box": [200, 20, 240, 60]}
    studio.correct("draw", kind="plate", keyframes=[box])
    (row,) = [n for n, name in enumerate(studio.get("boxes?first=5&last=5")["objects"]) if name]
    number = studio.get("boxes?first=5&last=5")["sequences"][row]
    studio.correct("remove", sequence=number, why="drawn by mistake")
    assert not any(studio.get("boxes?first=5&last=5")["objects"])
    entries = studio.get("corrections.json")["entries"]
    assert [entry["why"] for entry in entries if entry["op"] == "remove"] == [
        "a poster",
        "drawn by mistake",
    ]


def test_a_change_of_an_older_revision_is_refused(studio):
    """Two tabs: the second has not seen what the first changed."""
    keep = {"revision": 1, "op": "decide", "target": {"identity": 0}, "decision": "keep"}
    studio.post("corrections", keep)
    answer = studio.post("corrections", keep, status=409)
    assert (answer["error"]["code"], answer["revision"]) == ("stale", 2)


@pytest.mark.parametrize(
    "fields",
    [
        {"op": "destroy"},
        {"op": "decide", "target": {"identity": 99}, "decision": "keep"},
        {"op": "decide", "target": {"sequence": 0}, "decision": "maybe"},
        {"op": "decide", "target": {}, "decision": "keep"},
        {"op": "decide", "target": 5, "decision": "keep"},
        {"op": "decide"},
        {"op": "name", "identity": "x", "name": "Ada"},
        {"op": "split", "sequence": 0, "frame": 10**9},
        {"op": "split", "sequence": 0, "frame": None},
        {"op": "draw", "kind": "cat", "keyframes": [{"frame": 1, "box": [1, 1, 9, 9]}]},
        {"op": "draw", "kind": "face", "keyframes": [{"frame": 1, "box": [9, 9, 1, 1]}]},
        {"op": "draw", "kind": "face", "keyframes": []},
        {"op": "shape", "sequence": 0, "keyframes": []},
        {"op": "shape", "object": "o7", "keyframes": [{"frame": 1, "box": [1, 1, 9, 9]}]},
        {"op": "remove", "sequence": 0},
        {"op": "remove", "sequence": 0, "why": "  "},
        {"op": "reference", "identity": 0, "frame": -1, "box": [1, 1, 9, 9]},
    ],
)
def test_what_cannot_be_a_correction_is_refused_and_changes_nothing(studio, fields):
    status, body, _ = studio.ask(
        "POST", "/api/v1/corrections", json.dumps({"revision": 1, **fields}).encode()
    )
    assert status in (404, 409, 422), body
    assert json.loads(body)["error"]["message"]
    assert studio.get("state")["revision"] == 1


def test_what_was_looked_at_is_in_the_timeline_and_in_the_file(tmp_path):
    review, outputs = made_review(tmp_path / "talk.mp4")
    with served(review, outputs) as studio:
        for frame in range(20):
            studio.post("looked", {"first": frame, "last": frame})
        assert studio.get("timeline?buckets=3")["looked"] == [1, 0, 0]
        assert studio.get("state")["revision"] == 1
    (entry,) = read_corrections(tmp_path / "corrections.json").entries
    assert (entry.op, entry.change.first, entry.change.last) == ("looked", 0, 19)


def test_events_tell_of_every_change(studio):
    connection = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=30)
    cookie = {"Cookie": f"faceveil-{studio.port}={studio.token}"}
    connection.request("GET", "/api/v1/events", headers=cookie)
    events = connection.getresponse()
    assert events.readline() == b": welcome\n"
    studio.correct("name", identity=0, name="Ada")
    lines = [events.readline() for _ in range(12)]
    assert b"event: revision\n" in lines
    assert any(b'"revision":2' in line for line in lines)
    connection.close()


def test_the_output_is_rendered_verified_and_downloaded(studio, tmp_path):
    task = check(studio.post("render", {"style": "solid", "matte": True}), "/render", "post")
    ended = wait_for(studio, task)
    assert ended["state"] == "done", ended
    state = check(studio.get("state"), "/state")
    assert state["output"]["verified"] is True
    status, body, headers = studio.ask("GET", "/api/v1/output")
    assert status == 200 and body == (tmp_path / "out.mp4").read_bytes()
    assert "attachment" in headers["content-disposition"]
    assert studio.ask("GET", "/api/v1/matte")[0] == 200
    assert studio.get("report.json") == read_report(tmp_path / "out.mp4.report.html")
    status, page, headers = studio.ask("GET", "/api/v1/report.html")
    assert status == 200 and b"Veiling report" in page
    assert "attachment" in headers["content-disposition"]
    assert studio.get("corrections.json")["format"] == "faceveil-corrections"


def test_an_output_that_was_there_before_is_kept(tmp_path):
    (tmp_path / "out.mp4").write_bytes(b"precious")
    with served(*made_review(tmp_path / "talk.mp4")) as studio:
        for _ in range(2):
            wait_for(studio, studio.post("render", {}))
            assert studio.get("state")["output"]["path"].endswith("out-2.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == b"precious"


def test_an_analysis_of_another_video_changes_nothing(tmp_path):
    """A video that is not ours: it is said at once, and nothing can be corrected or rendered."""
    from dataclasses import replace

    from testkit.made_review import made_analysis

    analysis = made_analysis(tmp_path / "talk.mp4")
    other = replace(analysis, source=replace(analysis.source, digest="sha256:" + "0" * 64))
    with served(*made_review(tmp_path / "talk.mp4", other)) as studio:
        body = {"revision": 1, "op": "name", "identity": 0, "name": "Ada"}
        assert "another input" in studio.post("corrections", body, 422)["error"]["message"]
        assert "another input" in studio.post("render", {}, 422)["error"]["message"]
        assert "another input" in studio.get("state")["unresolved"][0]
    assert not (tmp_path / "corrections.json").exists()


def test_numbers_survive_the_way_into_the_answer(studio):
    """Columns are sent as numbers of JSON, whatever type NumPy has them in."""
    boxes = studio.get("boxes?first=0&last=59")
    assert {len(column) for name, column in boxes.items() if name != "revision"} == {90}
    assert np.isfinite(boxes["boxes"]).all()
