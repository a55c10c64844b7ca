"""A small RTSP server (RFC 2326) that plays one file to one client after another, over TCP."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from testkit.paced import paced_packets
from testkit.servers.processes import free_ports

_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=clip\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"
    "a=control:video\r\n"
)


@contextmanager
def rtsp_server(path: Path) -> Iterator[str]:
    """The address at which a file (H.264 in .ts) plays from its beginning to each client."""
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, path))
        thread.start()
        try:
            yield f"rtsp://127.0.0.1:{port}/clip"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, path: Path) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # it was shut down
            return
        with client, suppress(OSError, FFmpegError):
            _answer(client, path)


def _answer(client: socket.socket, path: Path) -> None:
    """Answer the requests of a client up to PLAY, then play."""
    with client.makefile("rb") as requests:
        while line := requests.readline().decode():
            method, address, _ = line.split()
            headers = {}
            while header := requests.readline().decode().strip():
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            lines = [f"RTSP/1.0 200 OK\r\nCSeq: {headers['cseq']}"]
            body = ""
            if method == "OPTIONS":
                lines.append("Public: DESCRIBE, SETUP, PLAY, TEARDOWN")
            elif method == "DESCRIBE":
                body = _SDP
                lines += [f"Content-Base: {address}/", "Content-Type: application/sdp"]
                lines.append(f"Content-Length: {len(body)}")
            elif method == "SETUP":
                lines += ["Session: 1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"]
            elif method == "PLAY":
                lines += ["Session: 1", "Range: npt=0.000-"]
            client.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
            if method == "PLAY":
                _play(client, path)
                return


def _play(client: socket.socket, path: Path) -> None:
    """Send the packets of a file at their pace, each in a frame of its own (section 10.12)."""
    with (
        av.open(str(path)) as source,
        av.open(_Interleaved(client), "w", format="rtp", container_options=_RTP) as output,
    ):
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet, _ in paced_packets(source):
            packet.stream = stream
            output.mux(packet)


_RTP = {"packetsize": "1400", "payload_type": "96", "flush_packets": "1"}


class _Interleaved:
    """Takes the packets of FFmpeg's RTP muxer; reports of the sender are left out."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client

    def write(self, packet: Any) -> int:
        content = bytes(packet)
        is_report = 200 <= content[1] <= 204
        if not is_report:
            self._client.sendall(b"$" + struct.pack(">BH", 0, len(content)) + content)
        return len(content)
