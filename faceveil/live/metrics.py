"""What a live run counts, and its page for Prometheus."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType

from faceveil.errors import UsageError

COUNTERS: Mapping[str, str] = MappingProxyType(
    {
        "frames_in": "Frames that came from the source.",
        "frames_out": "Frames that left, replaced ones included.",
        "frames_dropped": "Frames that were left out, since the machine or the sink was too slow.",
        "frames_frozen": "Frames in whose place the last veiled one was shown.",
        "frames_blanked": "Frames in whose place a black one was shown.",
        "frames_whole": "Frames that were veiled whole.",
        "looks": "Frames in which faces were detected.",
        "faces": "Faces that were detected in them.",
        "detectors_lost": "Detector processes that died or hung.",
        "source_lost": "Times the source was lost.",
        "sink_lost": "Times the sink was lost.",
    }
)
GAUGES: Mapping[str, str] = MappingProxyType(
    {
        "delay_seconds": "From when the last frame came to when it left.",
        "late_seconds": "How much later than due the last frame left.",
        "waiting": "Frames that wait.",
        "frames_per_second": "Frames that left in the last second.",
        "look_stride": "Distance of the frames in which faces are detected.",
        "look_scale": "Size at which faces are detected, as a share of the picture's.",
        "look_seconds": "What detecting the faces of one frame takes.",
        "plan_seconds": "What planning the veils of the last frames took.",
        "veiled": "Faces that are veiled in the last frame.",
        "kept": "Faces that stay visible in the last frame.",
        "people": "People who are remembered.",
        "blind": "1 while no detector works.",
    }
)


class Metrics:
    """Counters and gauges of a run. Safe in several threads; holds nothing about a person."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters = dict.fromkeys(COUNTERS, 0)
        self._gauges = dict.fromkeys(GAUGES, 0.0)

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counters[name] += by

    def set(self, **values: float) -> None:
        """Set gauges."""
        with self._lock:
            for name, value in values.items():
                self._gauges[name] = value

    def values(self) -> dict[str, float]:
        """All of them by name."""
        with self._lock:
            return {**self._counters, **self._gauges}

    def text(self) -> str:
        """All of them in the text format of Prometheus, version 0.0.4."""
        values = self.values()
        lines = []
        for kind, names, suffix in (("counter", COUNTERS, "_total"), ("gauge", GAUGES, "")):
            for name, meaning in names.items():
                full = f"faceveil_live_{name}{suffix}"
                lines += [
                    f"# HELP {full} {meaning}",
                    f"# TYPE {full} {kind}",
                    f"{full} {values[name]:g}",
                ]
        return "\n".join(lines) + "\n"


class MetricsServer:
    """Answers `/metrics` on the loopback interface, or another address, until it is closed.

    Raises
    ------
    UsageError
        Where the port is taken.
    """

    def __init__(self, metrics: Metrics, port: int, host: str = "127.0.0.1") -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = self.path.split("?")[0] == "/metrics"
                body = metrics.text().encode() if found else b"see /metrics\n"
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                return

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise UsageError(
                f"port {port} of {host} cannot be used for metrics ({error.strerror}); "
                "name another with --metrics"
            ) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
