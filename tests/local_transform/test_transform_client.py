"""Requests to the server: what is tried again, what is final, how long is too long.

The server is testkit.servers.stub_model_server; sockets, connections and time are real.
"""

import json
import threading

import pytest

from faceveil.errors import FaceveilError
from faceveil.local_transform.server_client import (
    ServerClient,
    execution_parameters,
    listens,
    wait_until_healthy,
)
from testkit.servers.stub_model_server import StubServer


def talk(stub, concurrent=1, timeout_seconds=5, retries=3, check_alive=lambda: None):
    return ServerClient(stub.url, concurrent, timeout_seconds, retries, check_alive)


def post(client, body, chunked=False):
    return json.loads(client.invoke(body, "image/png", "application/json", chunked))


def test_bytes_and_types_arrive_as_they_are(stub):
    said = post(talk(stub), b"ok " + bytes(range(256)) * 4000)
    assert said["size"] == 3 + 256 * 4000
    assert said["content_type"] == "image/png"
    assert said["accept"] == "application/json"
    assert not said["chunked"]


def test_without_a_payload_limit_the_bytes_are_sent_chunked(stub):
    said = post(talk(stub), b"ok " + bytes(600_000), chunked=True)
    assert said["chunked"] and said["size"] == 600_003


@pytest.mark.parametrize("fault", [b"once 500", b"once 503", b"once 429", b"close-once"])
def test_a_passing_fault_is_tried_again(stub, fault):
    assert post(talk(stub), fault)["size"] == len(fault)
    assert stub.bodies[fault] == 2


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_lasting_fault_is_tried_as_often_as_the_job_says(stub, retries):
    with pytest.raises(FaceveilError, match=r"answered 500.*told to"):
        talk(stub, retries=retries).invoke(b"status 500", "image/png", None, False)
    assert stub.bodies[b"status 500"] == retries + 1


def test_a_server_that_has_ended_is_not_asked_again(stub):
    def ended():
        raise FaceveilError("it ended")

    with pytest.raises(FaceveilError, match="it ended"):
        talk(stub, check_alive=ended).invoke(b"status 500", "image/png", None, False)
    assert stub.bodies[b"status 500"] == 1


@pytest.mark.parametrize("status", [400, 404, 413, 415, 302])
def test_a_refusal_is_final(stub, status):
    body = f"status {status}".encode()
    with pytest.raises(FaceveilError, match=f"answered {status}"):
        talk(stub).invoke(body, "image/png", None, False)
    assert stub.bodies[body] == 1


def test_a_connection_that_always_breaks_is_named(stub):
    with pytest.raises(FaceveilError, match=r"gave no answer.*\(2 attempts\)"):
        talk(stub, retries=1).invoke(b"close", "image/png", None, False)


@pytest.mark.parametrize("body", [b"slow 60", b"trickle"])
def test_an_answer_has_its_time_and_no_more(stub, body):
    """Also when bytes keep coming, so that no single read ever waits long."""
    with pytest.raises(FaceveilError, match="gave no answer"):
        talk(stub, timeout_seconds=0.3, retries=0).invoke(body, "image/png", None, False)


def test_connections_are_kept(stub):
    client = talk(stub)
    for number in range(20):
        post(client, b"ok %d" % number)
    assert stub.connections == 1


def test_no_more_requests_are_open_than_allowed(stub):
    client = talk(stub, concurrent=3)
    threads = [
        threading.Thread(target=post, args=(client, b"slow 0.05 %d" % number))
        for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stub.most_open_requests == 3
    assert stub.bodies.total() == 12


def test_waits_until_the_server_is_healthy():
    with StubServer(unhealthy_pings=3) as stub:
        wait_until_healthy(stub.url, 10, lambda: None)
        assert stub.pings == 4


def test_a_server_that_stays_unhealthy_is_given_up():
    with (
        StubServer(unhealthy_pings=10**9) as stub,
        pytest.raises(FaceveilError, match=r"not healthy within 0\.1 s \(it answers 503\)"),
    ):
        wait_until_healthy(stub.url, 0.1, lambda: None)


def test_waiting_ends_when_the_server_has_ended():
    def ended():
        raise FaceveilError("it ended")

    with pytest.raises(FaceveilError, match="it ended"):
        wait_until_healthy("http://127.0.0.1:9", 600, ended)


def test_execution_parameters_are_optional(stub):
    assert json.loads(execution_parameters(stub.url)) == stub.parameters
    stub.parameters = None
    assert execution_parameters(stub.url) is None


def test_an_unhealthy_server_is_still_there(stub):
    stub.unhealthy_pings = 10**9
    assert listens(stub.url)
    assert not listens("http://127.0.0.1:9")
