"""Protects: every row of the table of formats is shown by a test that exists."""

import re

import pytest

from testkit import PROJECT

TABLES = (PROJECT / "docs" / "formats.md").read_text(encoding="utf-8").splitlines()
ROWS = [line for line in TABLES if line.startswith("| ") and not line.startswith("| what ")]


def test_the_tables_have_rows():
    assert len(ROWS) > 20


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_the_row_names_a_test(row):
    place = row.rstrip("| ").rsplit("|", 1)[-1].strip()
    path, _, name = place.partition("::")
    assert name, f"no test in the last column: {place!r}"
    text = (PROJECT / path).read_text(encoding="utf-8")
    assert re.search(rf"^def {re.escape(name)}\(", text, re.MULTILINE), place
