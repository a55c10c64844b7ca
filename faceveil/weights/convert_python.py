"""An ONNX file that a Python package holds as a constant of bytes in its source.

The source is parsed, never run.
"""

from __future__ import annotations

import ast

from faceveil.errors import WeightsError

CONSTANT = "WEIGHTS"


def read_constant(source: bytes, name: str) -> bytes:
    """Return the bytes assigned to WEIGHTS in a Python file. Raises WeightsError without any."""
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError) as error:
        raise WeightsError(f"{name}: not a Python file: {error}") from error
    for statement in statements:
        if (
            isinstance(statement, ast.Assign)
            and isinstance(statement.value, ast.Constant)
            and isinstance(statement.value.value, bytes)
            and any(isinstance(t, ast.Name) and t.id == CONSTANT for t in statement.targets)
        ):
            return statement.value.value
    raise WeightsError(f"{name}: the Python file assigns no bytes to {CONSTANT}")
