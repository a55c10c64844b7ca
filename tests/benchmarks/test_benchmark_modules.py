"""The table writer that all reports share, and that every benchmark still imports what it names."""

import importlib
import subprocess
import sys

import pytest

from benchmarks.__main__ import MODULES, REPORTS, summary
from benchmarks.report import table
from faceveil.sequence import finish
from testkit import PROJECT

FOLDER = PROJECT / "benchmarks"
NEEDS = {"dlib_centre": "dlib", "other_networks": "dlib"}
OWN_ENVIRONMENT = {"mtcnn_peers"}


def modules():
    for path in sorted(FOLDER.glob("*/*.py")):
        if path.stem != "__init__" and path.stem not in OWN_ENVIRONMENT:
            yield ".".join(path.relative_to(PROJECT).with_suffix("").parts)


@pytest.mark.parametrize("name", list(modules()))
def test_a_module_imports_what_it_names(name):
    if needed := NEEDS.get(name.rpartition(".")[2]):
        pytest.importorskip(needed)
    importlib.import_module(name)


def test_every_report_has_its_benchmark_and_the_reverse():
    assert {path.stem for path in REPORTS.glob("*.md")} == set(MODULES)
    for name in MODULES:
        assert summary(name).endswith((".", "?"))


def test_help_is_shown_without_running_anything():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.veil.speed", "--help"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "python -m benchmarks.veil.speed" in done.stdout


def test_columns_of_numbers_are_set_to_the_right():
    lines = table(
        ("name", "count", "share", "both"),
        [("a", 1_000, "12.5%", "3"), ("b", "**2**", "-", "three")],
    )
    assert lines == [
        "| name | count | share | both |",
        "|---|---:|---:|---|",
        "| a | 1000 | 12.5% | 3 |",
        "| b | **2** | - | three |",
    ]


def test_a_table_without_rows_keeps_its_head():
    assert table(("a", "b"), []) == ["| a | b |", "|---|---|"]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="3 cells in a table of 2 columns"):
        table(("a", "b"), [(1, 2, 3)])


def test_every_step_that_the_quality_benchmark_leaves_out_is_a_step():
    """A step that was renamed would stop the benchmark after half an hour of detection."""
    from benchmarks.quality.variants import VARIANTS, WITHOUT

    assert {name for variant in VARIANTS for name in variant.without} == set(WITHOUT)
    for name in WITHOUT:
        assert callable(getattr(finish, name))
