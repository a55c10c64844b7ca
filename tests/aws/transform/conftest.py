"""Fixtures of the Batch Transform tests."""

import pytest
from stub_server import StubServer

from faceveil.aws.transform import client


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    """Retries and pings follow each other at once: only the waiting is left out."""
    monkeypatch.setattr(client, "RETRY_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(client, "PING_INTERVAL_SECONDS", 0.02)


@pytest.fixture
def stub():
    """The fault-injection double of the model's server (stub_server.py), in a thread."""
    with StubServer() as server:
        yield server
