"""The review server answers pages of its own that carry the token, and nothing else."""

import json

import pytest

from faceveil.review.answers import LARGEST_BODY
from testkit.made_review import TOKEN, made_review, served

STATE = "/api/v1/state"
NAME = json.dumps({"revision": 1, "op": "name", "identity": 0, "name": "Eve"}).encode()


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """A client of one review, which no test here may change."""
    with served(*made_review(tmp_path_factory.mktemp("secure") / "talk.mp4")) as client:
        yield client
        assert client.get("state")["revision"] == 1


@pytest.mark.parametrize("path", [STATE, "/", "/api/v1/frames/1.jpg", "/api/v1/events"])
@pytest.mark.parametrize("cookie", [None, "faceveil-1=x", "another"])
def test_without_the_token_nothing_is_answered(studio, path, cookie):
    headers = {"Cookie": cookie and cookie.replace("another", f"faceveil-{studio.port}=wrong")}
    assert studio.ask("GET", path, headers=headers)[0] == 403


def test_a_wrong_bearer_is_refused_whatever_the_cookie_says(studio):
    assert studio.ask("GET", STATE, headers={"Authorization": "Bearer wrong"})[0] == 403


def test_the_first_address_sets_a_cookie_that_scripts_cannot_read(studio):
    status, _, headers = studio.ask("GET", f"/?token={TOKEN}", headers={"Cookie": None})
    assert (status, headers["location"]) == (303, "/")
    cookie = headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert studio.ask("GET", "/?token=wrong", headers={"Cookie": None})[0] == 403


@pytest.mark.parametrize("host", ["evil.test", "evil.test:80", "127.0.0.1", "127.0.0.1:1", ""])
def test_another_host_is_not_answered(studio, host):
    """DNS rebinding: a name of another site that resolves to this machine."""
    status, body, _ = studio.ask("GET", STATE, headers={"Host": host or "x"})
    assert (status, json.loads(body)["error"]["code"]) == (403, "host")


@pytest.mark.parametrize("origin", [None, "null", "http://evil.test", "http://127.0.0.1:1"])
def test_another_origin_changes_nothing(studio, origin):
    status, body, _ = studio.ask("POST", "/api/v1/corrections", NAME, {"Origin": origin})
    assert (status, json.loads(body)["error"]["code"]) == (403, "origin")
    assert studio.ask("DELETE", "/api/v1/tasks/t1", headers={"Origin": origin})[0] == 403


def test_pages_of_another_port_of_this_machine_get_no_pictures(studio):
    """They are of the same site, so the browser sends the cookie along."""
    headers = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}
    assert studio.ask("GET", "/api/v1/frames/1.jpg", headers=headers)[0] == 403


@pytest.mark.parametrize(
    "path",
    ["/../talk.mp4", "/..%2ftalk.mp4", "/%2e%2e/session.py", "/api/v1/../../session.py", "//x"],
)
def test_no_path_leads_out_of_the_page(studio, path):
    assert studio.ask("GET", path)[0] in (404, 503)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b"[]", 422),
        (b'{"revision": true}', 422),
        (b'{"revision": 1e99, "op": "name"}', 422),
        (b" " * (LARGEST_BODY + 1), 413),
    ],
)
def test_a_broken_or_huge_body_is_refused(studio, body, status):
    found, answer, _ = studio.ask("POST", "/api/v1/corrections", body)
    assert found == status and json.loads(answer)["error"]["message"]


@pytest.mark.parametrize(
    "path",
    [
        "frames/60.jpg",
        "frames/99999999999999999999.jpg",
        "frames/1.jpg?width=100000",
        "frames/1.jpg?view=naked",
        "crops/1.jpg?box=nan,0,1,1",
        "crops/1.jpg?box=0,0,1e30,1e30",
        "boxes?first=-1&last=3",
        "boxes?first=3&last=1",
        "boxes?first=0&last=60",
        "people?limit=0",
        "people/7/sequences",
        "timeline?buckets=99999999",
        "tasks/none",
        "output",
        "nothing",
    ],
)
def test_what_does_not_exist_is_said_in_json(studio, path):
    status, body, _ = studio.ask("GET", f"/api/v1/{path}")
    assert status in (404, 422) and json.loads(body)["error"]["message"]


def test_every_answer_forbids_what_the_page_does_not_need(studio):
    for path, headers in ((STATE, {}), ("/", {}), (STATE, {"Cookie": None})):
        found = studio.ask("GET", path, headers=headers)[2]
        policy = found["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert found["x-content-type-options"] == "nosniff"
        assert found["cache-control"] == "no-store"
