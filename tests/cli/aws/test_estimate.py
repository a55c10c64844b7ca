"""`faceveil aws estimate`: its arithmetic by hand, its data, and runs computed to the cent."""

import json

import pytest

from faceveil.aws.clients import sagemaker_client
from faceveil.cli.main import main
from faceveil.errors import InputError, UsageError
from faceveil.jobs.costs import job_costs as costs
from faceveil.jobs.costs.job_costs import Load
from faceveil.jobs.costs.prices import read_prices
from testkit import PROJECT
from testkit.clips import make_clip, write_frames

ROUND = """
date = "2030-01"
region = "eu-north-1"
[transform]
"ml.c5.xlarge" = 3.6
[billing]
startup_seconds = 100
"""


@pytest.fixture
def prices(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text(ROUND)
    return path


@pytest.fixture(autouse=True)
def usual_region(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "us-east-1")


def run(*words):
    return main(["aws", "estimate", *map(str, words)])


def told(capsys, *words, kind="transform"):
    """The document, with the rows of one kind."""
    assert run(*words, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    rows = [row for row in document["rows"] if row["kind"] == kind]
    return document | {"rows": rows}


def test_processing_jobs_veil_on_the_same_instances_and_start_once_or_twice(prices, capsys):
    """On one instance one job; on several, the second is brought all frames and detections."""
    words = ("--frames", 1000, "--prices", prices, "--measured-fps", "ml.c5.xlarge=5")
    one, four = told(capsys, *words, kind="processing")["rows"]
    # 200 s of detection; 2.0736 megapixels x 0.0277 s on four vCPUs are 14.36 s of veiling.
    veiling = 1000 * 2.0736 * 0.0277 / 4
    assert one["instance_seconds"] == pytest.approx(100 + 200 + veiling)
    assert one["minutes"] == pytest.approx((100 + 200 + veiling) / 60)
    assert one["instances"] == pytest.approx(one["instance_seconds"] / 1000)
    assert one["requests"] == pytest.approx(1000 * (0.0000004 + 5 * 0.000005))
    assert four["instance_seconds"] == pytest.approx(200 + 50 + veiling / 4)
    assert four["instances"] == pytest.approx(4 * four["instance_seconds"] / 1000)
    assert four["requests"] == pytest.approx(1000 * (9 * 0.0000004 + 5 * 0.000005))


def test_a_transform_is_paid_by_the_second_with_its_start(prices, capsys):
    words = ("--frames", 1000, "--prices", prices, "--measured-fps", "ml.c5.xlarge=5")
    one, four = told(capsys, *words)["rows"]
    assert (one["instance_count"], four["instance_count"]) == (1, 4)
    # 200 s of work and 100 s of starting at a tenth of a cent each; all four start.
    assert one["instances"] == pytest.approx(0.3)
    assert four["instances"] == pytest.approx(0.2 + 4 * 0.1)
    assert (one["frames_per_second"], four["frames_per_second"]) == (5, 20)
    (short, _) = told(capsys, "--frames", 1, *words[2:])["rows"]
    assert short["instances"] == pytest.approx(0.1002)


def test_nothing_costs_less_than_a_minute(prices, capsys):
    prices.write_text(ROUND + "startup_is_paid = false\n")
    (row,) = told(
        capsys, "--frames", 1, "--prices", prices, "--measured-fps", 5, "--instance-count", 1
    )["rows"]
    assert row["instances"] == pytest.approx(0.06)


def test_short_videos_are_rendered_by_lambda_and_long_ones_by_batch():
    prices = read_prices()
    short, long = Load(750, 1280, 720), Load(108_000, 1920, 1080)
    assert (costs.rendered_by(short), costs.rendered_by(long)) == ("Lambda", "Batch")
    seconds, dollars = costs.postprocessing(prices, short)
    assert seconds == pytest.approx(750 * 0.9216 * 0.0277 / 2.3)
    assert dollars == pytest.approx(seconds * 4 * 0.0000166667 + 0.0000004)
    # 18 chunks, each a minute of starting and its share of 6,203 s on 4 of Fargate's vCPUs.
    _, dollars = costs.postprocessing(prices, long)
    work = 108_000 * 2.0736 * 0.0277
    assert dollars == pytest.approx((18 * 60 + work / 4) / 3600 * (4 * 0.04048 + 8 * 0.004445))


def test_requests_and_storage_of_an_hour_are_those_of_the_benchmark():
    """benchmarks/reports/postprocessing.md: 0.68 $ and 1.12 $ around it; 2.35 $ a month. Beside
    that two more requests an answer, as SageMaker uploads it in parts."""
    prices, hour = read_prices(), Load(108_000, 1920, 1080)
    multipart = 108_000 * 2 * 0.000005
    assert costs.requests(prices, hour) == pytest.approx(0.68 + 1.12 + multipart, abs=0.01)
    monthly = costs.stored_gigabytes(prices, hour) * prices["s3"]["storage_gb_month"]
    assert monthly == pytest.approx(2.35, abs=0.02)


def test_speed_without_a_measurement_is_that_of_the_benchmark():
    """benchmarks/reports/serving.md: 4.68 frames a second of 720p on two cores, 2.58 of 1080p."""
    prices = read_prices()
    for width, height, both in ((1280, 720, 4.68), (1920, 1080, 2.58)):
        speed = costs.frames_per_second(prices, Load(1, width, height))
        assert 2 * speed == pytest.approx(both, abs=0.01)


def test_large_frames_leave_large_instances_partly_idle(prices, capsys):
    """MaxConcurrentTransforms x MaxPayloadInMB is at most 100: frames of 7 MB go 14 at once."""
    prices.write_text(ROUND.replace("[billing]", '"ml.c5.9xlarge" = 36.0\n[billing]'))
    words = ("--frames", 1000, "--prices", prices, "--measured", 1, "--instance-count", 1)
    small, large = told(capsys, *words)["rows"]
    assert (small["frames_per_second"], large["frames_per_second"]) == (4, 36)
    four_k = (*words, "--size", "3840x2160", "--format", "png")
    small, large = told(capsys, *four_k)["rows"]
    assert (small["frames_per_second"], large["frames_per_second"]) == (4, 14)
    assert run(*four_k) == 0
    assert "at most 100 MB are sent at once: ml.c5.9xlarge (14 of 36 vCPUs)" in (
        capsys.readouterr().out
    )
    assert run(*words, "--size", "20000x20000", "--format", "png") == InputError.exit_code
    assert "is more than SageMaker takes, 100 MB" in capsys.readouterr().err


def test_a_vcpu_is_half_of_a_core_that_was_measured_alone(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("faceveil.cli.aws.estimate.measure", lambda source: 10.0)
    write_frames(make_clip(320, 180, frame_count=6), tmp_path / "frames")
    document = told(capsys, tmp_path / "frames", "--instance-count", 1)
    speeds = {row["instance_type"]: row["frames_per_second"] for row in document["rows"]}
    assert speeds["ml.c5.xlarge"] == 4 * 10.0 / 2
    assert "a vCPU has 0.5 of them" in document["speed"]


def test_gpus_are_estimated_where_they_were_measured_and_tell_nothing_of_processors(capsys):
    plain = told(capsys, "--frames", 1000)
    assert not any(".g" in row["instance_type"] for row in plain["rows"])
    rows = told(capsys, "--frames", 1000, "--measured", "ml.g5.xlarge=50")["rows"]
    assert [row for row in rows if ".g" not in row["instance_type"]] == plain["rows"]
    (one, four) = [row for row in rows if row["instance_type"] == "ml.g5.xlarge"]
    assert (one["frames_per_second"], four["frames_per_second"]) == (50, 200)
    assert one["instances"] == pytest.approx((1000 / 50 + 300) * 1.408 / 3600)


def test_prices_are_of_a_region_and_say_so(prices, capsys, monkeypatch):
    """The thesis paid 0.437 $ for ml.c5.2xlarge in eu-north-1, where us-east-1 asks 0.408."""
    assert read_prices().in_region("eu-north-1").transform["ml.c5.2xlarge"] == pytest.approx(
        0.437, abs=0.002
    )
    words = ("--frames", 1000)
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert run(*words) == 0
    here = capsys.readouterr().out
    assert "prices of 2025-06, eu-north-1, instances x 1.07 (from memory" in here
    monkeypatch.setenv("AWS_REGION", "af-south-1")
    assert run(*words) == 0
    assert "prices of 2025-06, us-east-1 (from memory" in capsys.readouterr().out
    assert run(*words, "--region", "eu-north-1") == 0
    assert capsys.readouterr().out == here
    assert run(*words, "--region", "af-south-1") == UsageError.exit_code
    assert "no prices of this region are known" in capsys.readouterr().err
    assert run(*words, "--prices", prices, "--region", "eu-west-1") == UsageError.exit_code
    assert "is of eu-north-1" in capsys.readouterr().err


def test_the_guides_tell_what_the_estimate_computes(capsys):
    words = ("--frames", 108_000, "--instance-count", 1, "--instance-count", 8)
    one, eight = [
        row for row in told(capsys, *words)["rows"] if row["instance_type"] == "ml.c5.xlarge"
    ]
    said = " ".join((PROJECT / "docs/guides/deployment.md").read_text().split())
    assert (
        f"{one['minutes'] / 60:.0f} hours and {one['total']:.2f} USD on one ml.c5.xlarge, or "
        f"{eight['minutes']:.0f} minutes and {eight['total']:.2f} USD on eight"
    ) in said
    backend = (PROJECT / "docs/guides/backend.md").read_text()
    assert f"about {one['total']:.1f} USD by its price table" in backend


def test_every_type_of_the_price_table_is_one_of_transform_jobs(aws_credentials):
    known = sagemaker_client().meta.service_model.shape_for("TransformInstanceType").enum
    prices = read_prices()
    assert set(prices.transform) <= set(known)
    assert {"date", "region", "source"} <= set(prices.__slots__)
    assert "memory" in prices.source


def test_the_table_says_what_it_rests_on(capsys):
    assert run("--frames", 108_000, "--size", "1920x1080") == 0
    said = capsys.readouterr().out
    assert "prices of 2025-06, us-east-1 (from memory" in said
    assert "benchmarks/reports/serving.md" in said
    assert said.count(" $ cheapest\n") == said.count(" $ fastest\n") == 2, "of each kind"
    assert "Post-processing by Batch" in said


@pytest.mark.slow
def test_a_video_is_measured_on_this_machine(tmp_path, capsys):
    folder = tmp_path / "frames"
    write_frames(make_clip(320, 180, frame_count=6), folder)
    document = told(capsys, folder, "--instance-count", 2)
    assert (document["frames"], document["width"], document["height"]) == (6, 320, 180)
    assert "measured now" in document["speed"]
    assert all(row["frames_per_second"] > 0 for row in document["rows"])


RUNS = """
[[run]]
name = "an hour and a half on two"
instance_type = "ml.m5.xlarge"
instance_count = 2
seconds = 5400
hourly = 0.26
stated = 0.78
[[run]]
name = "a type of the table"
instance_type = "ml.c5.xlarge"
seconds = 1000
"""


def test_runs_that_took_place_are_computed_to_the_cent(tmp_path, capsys):
    path = tmp_path / "runs.toml"
    path.write_text(RUNS)
    assert run("--runs", path) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("2 x ml.m5.xlarge, 5400 s at 0.26 $ an hour: 0.78 $, stated 0.78 $")
    assert second.endswith("1000 s at 0.204 $ an hour: 0.06 $")
    assert run("--runs", path, "--frames", 9) == 0
    assert "stated 0.78 $" in (both := capsys.readouterr().out)
    assert "9 frames of 1920 x 1080" in both
    path.write_text(RUNS.replace("0.78", "0.77"))
    assert run("--runs", path) == InputError.exit_code
    assert "1 of 2 differ: an hour and a half" in capsys.readouterr().err
    path.write_text(RUNS.replace("seconds = 1000", ""))
    assert run("--runs", path) == InputError.exit_code


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        ((), UsageError, "nothing to estimate"),
        (
            ("--frames", 5, "--measured-fps", "ml.c5.xlarge=quick"),
            UsageError,
            "is not FPS or TYPE=FPS",
        ),
        (("--frames", 5, "--measured-fps", "ml.g9.xlarge=3"), UsageError, "no price is known"),
        (("nowhere.mp4",), InputError, "there is no such file"),
        (("--frames", 5, "--prices", "nowhere.toml"), InputError, "cannot be read"),
    ],
)
def test_wrong_words_are_answered(capsys, words, error, said):
    assert run(*words) == error.exit_code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("= 3", "is not TOML"),
        (ROUND.replace("date", "day"), "day: is none of date"),
        (ROUND.replace('region = "eu-north-1"', ""), "region: is missing"),
        (ROUND + "[s3]\nput = -1\n", "s3.put: must be a number"),
        (ROUND + "[s3]\nputs = 1\n", "s3.puts: is none of put"),
        (ROUND + "[speed]\nbytes_per_pixel = 3\n", "speed.bytes_per_pixel: must be like"),
    ],
)
def test_a_price_file_that_makes_no_sense_is_refused(prices, capsys, text, said):
    prices.write_text(text)
    assert run("--frames", 5, "--prices", prices) == InputError.exit_code
    assert said in capsys.readouterr().err


def test_our_own_prices_can_be_printed_and_given_back(tmp_path, capsys):
    assert run("--show-prices") == 0
    path = tmp_path / "mine.toml"
    path.write_text(capsys.readouterr().out)
    ours, theirs = read_prices(), read_prices(path)
    assert theirs.tables == ours.tables
