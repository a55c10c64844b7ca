"""Fixtures of the Batch Transform tests."""

import pytest

from faceveil.local_transform import server_client as client
from testkit.servers.stub_model_server import StubServer


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    """Retries and pings follow each other at once: only the waiting is left out."""
    monkeypatch.setattr(client, "RETRY_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(client, "PING_INTERVAL_SECONDS", 0.02)


@pytest.fixture
def stub():
    """The fault-injection double of the model's server , in a thread."""
    with StubServer() as server:
        yield server
