"""The arithmetic of benchmarks/cloud/thesis.py: from processor seconds to seconds and dollars."""

from benchmarks.cloud.thesis import Cost, cost_rows, on_instance, quality_row, time_rows

KINDS = ("several moving faces", "one still face", "no face")
COSTS = dict.fromkeys(KINDS, Cost(full=400.0, processing=200.0, start=4.0, analysed=1.0))


def test_two_vcpus_are_worth_one_or_two_processors():
    assert str(on_instance(400.0, 8)) == "50 to 100"


def test_times_stand_beside_those_of_the_same_instance(thesis_tables):
    rows = list(time_rows(thesis_tables, "every frame", COSTS))
    assert len(rows) == 9
    assert " | ".join(map(str, rows[3])) == (
        "4.6 | ml.c5.2xlarge | several moving faces | 2513 | 25 to 50 | 2794 | 50 to 100 | 28 to 56"
    )


def test_costs_have_the_same_price_and_the_same_start(thesis_tables):
    rows = list(cost_rows(thesis_tables, "dynamic (ours: adaptive)", COSTS))
    number, instance, kind, thesis, ours, start, alone = rows[0]
    assert (number, instance, kind, thesis) == ("4.12", "ml.t3.large", KINDS[0], "0.28")
    assert start == 9703 - 9166
    # 200 s if both vCPUs are processors like ours, 400 s if they are one; 0.104 $ an hour
    assert ours == f"{0.104 * 737 / 3600:.3f} to {0.104 * 937 / 3600:.3f}"
    assert alone == f"{0.104 * 200 / 3600:.4f} to {0.104 * 400 / 3600:.4f}"


def test_shares_are_computed_from_counts_as_in_the_thesis(thesis_tables):
    """Table 4.1's accuracy, precision, recall and F1 follow from its four counts."""
    table = thesis_tables["prediction_quality"]["table_4_1"]
    row = quality_row("4.1", [table[key] for key in ("tp", "tn", "fp", "fn")])
    assert row[5:] == tuple(
        f"{table[key]:.3f}" for key in ("accuracy", "precision", "recall", "f1")
    )
