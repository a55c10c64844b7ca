"""`faceveil aws estimate --runs` over the thesis's own runs: tables 4.11 and 4.12 to the cent."""

import tomllib

import pytest

from faceveil.cli.main import main
from testkit import PROJECT

RUNS = PROJECT / "benchmarks" / "cloud" / "thesis_runs.toml"
CLIPS = ("several moving faces", "one still face", "no face")


@pytest.fixture
def runs():
    return tomllib.loads(RUNS.read_text())["run"]


def test_every_cost_of_the_thesis_is_computed_to_the_cent(runs, capsys):
    assert main(["aws", "estimate", "--runs", str(RUNS)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(runs) == 18
    for line, run in zip(lines, runs, strict=True):
        assert line.startswith(run["name"])
        assert line.endswith(f": {run['stated']:.2f} $, stated {run['stated']:.2f} $")


def test_a_cost_that_is_a_cent_off_is_refused(tmp_path, capsys):
    changed = tmp_path / "runs.toml"
    changed.write_text(RUNS.read_text().replace("stated = 1.05", "stated = 1.06", 1))
    assert main(["aws", "estimate", "--runs", str(changed)]) != 0
    error = capsys.readouterr().err
    assert "1 of 18 differ" in error
    assert "1.05 $, stated 1.06 $" in error


@pytest.mark.parametrize(
    ("mode", "title", "costs"),
    [("every_frame", "every frame", "table_4_11"), ("dynamic", "dynamic", "table_4_12")],
)
def test_the_runs_are_those_of_the_thesis(runs, thesis_tables, mode, title, costs):
    """Container seconds, hourly prices and dollars, each figure as the thesis has it."""
    number = costs.removeprefix("table_").replace("_", ".")
    times, prices = thesis_tables["running_time"], thesis_tables["running_time"]["usd_per_hour"]
    expected = [
        {
            "name": f"table {number}, {title}, {clip}",
            "instance_type": table["instance"],
            "seconds": seconds,
            "hourly": prices[table["instance"]],
            "stated": dollars,
        }
        for table in times[mode].values()
        for clip, seconds, dollars in zip(
            CLIPS,
            table["container"],
            thesis_tables["cost_usd"][costs][table["instance"]],
            strict=True,
        )
    ]
    assert [run for run in runs if title in run["name"]] == expected
