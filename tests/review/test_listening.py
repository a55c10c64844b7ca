"""Where the pages of this machine are served."""

import socket

from faceveil.review.listening import LOOPBACK, listen


def test_connections_are_known_as_tcp_so_that_answers_are_not_held_back():
    """asyncio asks for the protocol before it switches Nagle's algorithm off: 40 ms an answer."""
    place = listen(LOOPBACK, 0)
    with place.listener, socket.create_connection((LOOPBACK, place.port)):
        accepted, _ = place.listener.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP
