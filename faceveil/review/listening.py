"""Where a server of pages is found: a socket, a new token and the names it answers under."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass

from faceveil.errors import UsageError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a server of pages is found, and by whom.

    Attributes
    ----------
    listener
        The socket, bound and listening.
    port
        Its port.
    token
        The secret that every request must carry.
    hosts
        The values of the Host header that are answered.
    address
        What to open in a browser.
    """

    listener: socket.socket
    port: int
    token: str
    hosts: frozenset[str]
    address: str


def listen(host: str, port: int) -> Place:
    """Listen on an address, with a new token.

    Raises UsageError where the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends without delay on sockets that name TCP; others wait 40 ms for acknowledgements.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise UsageError(
            f"{host}:{port}: cannot be listened on ({error}); choose another --port"
        ) from error
    port = listener.getsockname()[1]
    token = secrets.token_urlsafe(32)
    shown = f"[{host}]" if ":" in host else host
    hosts = {f"{shown}:{port}"}
    if host in (LOOPBACK, "::1", "localhost"):
        hosts |= {f"{name}:{port}" for name in (LOOPBACK, "localhost", "[::1]")}
    address = f"http://{shown}:{port}/?token={token}"
    return Place(listener, port, token, frozenset(hosts), address)
