"""The bytes of a job.json as a document that keeps to its schema, or the field that does not."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from faceveil.schemas import load_schema

MAX_BYTES = 1 << 20
"""A job.json is small; a larger object is something else."""


class FieldError(ValueError):
    """A field that cannot be used."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}" if name else message)


def checked_document(data: bytes) -> dict[str, Any]:
    """Return the document that the bytes of a job.json hold.

    Raises FieldError that names the first field which its schema does not allow.
    """
    if len(data) > MAX_BYTES:
        raise FieldError("", f"is larger than {MAX_BYTES} bytes, so it is no job.json")
    document = _parsed(data)
    _check_schema(document)
    return document


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise FieldError("", f"is not JSON ({error})") from error
    if not isinstance(document, dict):
        raise FieldError("", "must be a JSON object")
    return document


@lru_cache(maxsize=1)
def _validator() -> Draft202012Validator:
    return Draft202012Validator(load_schema("job"))


def _check_schema(document: Mapping[str, Any]) -> None:
    problem = best_match(_validator().iter_errors(document))
    if problem is not None:
        raise FieldError(_path(problem), _in_words(problem))


def _path(error: ValidationError) -> str:
    """selection.points[2].x"""
    parts = [f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path]
    path = "".join(parts).removeprefix(".")
    rule: Any = error.validator_value
    instance: Any = error.instance
    if error.validator == "required":
        missing = next(name for name in rule if name not in instance)
        path = f"{path}.{missing}".removeprefix(".")
    return path


def _in_words(error: ValidationError) -> str:
    rule: Any = error.validator_value
    schema: Any = error.schema
    if error.validator == "required":
        return "is missing"
    if error.validator == "additionalProperties":
        known = ", ".join(schema.get("properties", {}))
        return f"{error.message[:200]}; known fields are {known}"
    if error.validator == "pattern" and rule.endswith("/$"):
        return f"{error.instance!r:.200} must not begin with a slash, and must end in one"
    return error.message[:400]
