"""Answers of the review server in JSON, and errors that a person can act on."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

LARGEST_BODY = 1 << 20
"""Bytes of a request."""


class AnswerError(Exception):
    """An answer that is no success.

    Parameters
    ----------
    status
        The status of HTTP.
    code
        A word for programs.
    message
        A sentence for people.
    more
        Further fields of the answer.
    """

    def __init__(self, status: int, code: str, message: str, **more: object) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more


def json_answer(content: object, status: int = 200) -> Response:
    """An answer in JSON; arrays of NumPy are written as they are."""
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status, media_type="application/json")


def error_answer(status: int, code: str, message: str, **more: object) -> Response:
    """An error in JSON."""
    return json_answer({"error": {"code": code, "message": message}, **more}, status)


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object in a request's body.

    Raises
    ------
    AnswerError
        Where it is too long, of another type or no JSON object.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        raise AnswerError(422, "type", "The body must be application/json.")
    too_long = AnswerError(413, "length", f"The body is longer than {LARGEST_BODY} bytes.")
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > LARGEST_BODY:
        raise too_long
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise too_long
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise AnswerError(400, "json", f"The body is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise AnswerError(422, "json", "The body must be a JSON object.")
    return content


def number_of(
    request: Request, name: str, default: int | None, least: int, most: int | None = None
) -> int:
    """A whole number in the query of a request.

    Raises
    ------
    AnswerError
        Where it is missing, no number or out of range.
    """
    text = request.query_params.get(name)
    if text is None:
        if default is None:
            raise AnswerError(422, "query", f"The query needs {name}.")
        return default
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise AnswerError(422, "query", f"{name} must be a whole number from {least} on.")
    value = int(text)
    if value < least or (most is not None and value > most):
        limit = f"from {least} on" if most is None else f"from {least} to {most}"
        raise AnswerError(422, "query", f"{name} must be {limit}.")
    return value
