"""The HTTP side of SageMaker: /ping, /execution-parameters, /invocations."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError

from faceveil.errors import FaceveilError

PING_TIMEOUT_SECONDS = 2.0
"""As documented: what SageMaker gives /ping."""
PING_INTERVAL_SECONDS = 1.0
PARAMETERS_TIMEOUT_SECONDS = 30.0
CONNECT_TIMEOUT_SECONDS = 10.0
RETRY_PAUSE_SECONDS = 1.0
"""Before the first retry; doubled before each further one."""
MESSAGE_LENGTH = 200
CHUNK = 256 * 1024


class ServerClient:
    """Talks to one server, with up to `concurrent` invocations open at a time.

    timeout_seconds and retries are SageMaker's InvocationsTimeoutInSeconds and
    InvocationsMaxRetries. check_alive is asked before each retry and raises when there is no use.
    Any number of threads may call `invoke`.
    """

    def __init__(
        self,
        url: str,
        concurrent: int,
        timeout_seconds: float,
        retries: int,
        check_alive: Callable[[], None],
    ) -> None:
        self._pool = urllib3.connection_from_url(url, maxsize=concurrent, block=False)
        self._slots = threading.BoundedSemaphore(concurrent)
        self._timeout, self._retries = timeout_seconds, retries
        self._check_alive = check_alive

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.close()

    def invoke(self, body: bytes, content_type: str, accept: str | None, chunked: bool) -> bytes:
        """The answer to one object.

        A connection that is refused or breaks, an answer that takes longer than the time limit
        and a status of 5xx or 429 are tried again; any other status but 2xx is the server's last
        word on the object. chunked: send without a length, as SageMaker does without
        MaxPayloadInMB.
        Raises FaceveilError with the last reason, or that of check_alive.
        """
        headers = {"Content-Type": content_type}
        if accept:
            headers["Accept"] = accept
        attempt = 0
        while True:
            try:
                with self._slots:
                    status, answer = self._post(body, headers, chunked)
                if 200 <= status < 300:
                    return answer
                reason = f"answered {status}: {_excerpt(answer)}"
                final = status < 500 and status != 429
            except (HTTPError, OSError) as error:
                reason, final = f"gave no answer ({_cause(error)})", False
            if final or attempt == self._retries:
                tries = f" ({attempt + 1} attempts)" if attempt else ""
                raise FaceveilError(f"the server {reason}{tries}")
            time.sleep(RETRY_PAUSE_SECONDS * 2**attempt)
            self._check_alive()
            attempt += 1

    def _post(self, body: bytes, headers: dict[str, str], chunked: bool) -> tuple[int, bytes]:
        deadline = time.monotonic() + self._timeout
        response = self._pool.urlopen(
            "POST",
            "/invocations",
            body=_pieces(body) if chunked else body,
            headers=headers,
            chunked=chunked,
            retries=False,
            redirect=False,
            preload_content=False,
            timeout=urllib3.Timeout(
                connect=min(CONNECT_TIMEOUT_SECONDS, self._timeout), read=self._timeout
            ),
        )
        answer = bytearray()
        try:
            # A server that answers a byte at a time never runs into the socket's timeout.
            while piece := response.read1(CHUNK):
                answer += piece
                if time.monotonic() > deadline:
                    raise TimeoutError(f"answer not complete within {self._timeout:g} s")
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return response.status, bytes(answer)


def wait_until_healthy(url: str, timeout_seconds: float, check_alive: Callable[[], None]) -> None:
    """Ask /ping until it answers 200, as SageMaker does before the first invocation.

    check_alive raises when the server has ended. Raises FaceveilError after `timeout_seconds`.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        check_alive()
        try:
            answer = _get(f"{url}/ping", PING_TIMEOUT_SECONDS)
            if answer.status == 200:
                return
            last = f"it answers {answer.status}"
        except HTTPError as error:
            last = _cause(error)
        if time.monotonic() > deadline:
            raise FaceveilError(
                f"{url}/ping was not healthy within {timeout_seconds:g} s ({last}): look at the "
                "server's log"
            )
        time.sleep(PING_INTERVAL_SECONDS)


def listens(url: str) -> bool:
    """Whether there is a server at all, healthy, busy or hung."""
    try:
        _get(f"{url}/ping", PING_TIMEOUT_SECONDS)
    except NewConnectionError:
        return False
    except HTTPError:
        return True
    return True


def execution_parameters(url: str) -> bytes | None:
    """The body of /execution-parameters, or None where the server has none to give."""
    try:
        answer = _get(f"{url}/execution-parameters", PARAMETERS_TIMEOUT_SECONDS)
    except HTTPError:
        return None
    return answer.data if answer.status == 200 else None


def _get(url: str, timeout_seconds: float) -> urllib3.BaseHTTPResponse:
    timeout = urllib3.Timeout(total=timeout_seconds)
    with urllib3.PoolManager() as pool:
        return pool.request("GET", url, retries=False, timeout=timeout)


def _pieces(body: bytes) -> Iterator[bytes]:
    return (body[start : start + CHUNK] for start in range(0, len(body), CHUNK))


def _excerpt(answer: bytes) -> str:
    text = " ".join(answer.decode("utf-8", "replace").split())
    return text if len(text) <= MESSAGE_LENGTH else f"{text[:MESSAGE_LENGTH]}…"


def _cause(error: BaseException) -> str:
    return str(error.__cause__ or error)
