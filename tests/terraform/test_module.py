"""The module is valid, reads like one hand wrote it, and makes what its variables say."""

import json
import re
import subprocess

import pytest

from faceveil.cli.aws.build_images import IMAGES
from faceveil.cli.aws.deployment import read_outputs
from testkit.terraform_cli import DEPLOYMENT, MODULE, find_program

FILES = sorted(MODULE.glob("*.tf"))
BLOCK = re.compile(
    r'^(variable|output|resource|data) "([^"]+)"(?: "([^"]+)")? \{\n(.*?)^\}', re.M | re.S
)


def blocks(kind):
    """(kind of thing or "", its name, its text) of every block of a kind in the module."""
    for file in FILES:
        for match in BLOCK.finditer(file.read_text()):
            if match[1] == kind:
                yield (match[2], match[3], match[4]) if match[3] else ("", match[2], match[4])


def test_files_are_formatted():
    program = find_program()
    for folder in (MODULE, DEPLOYMENT):
        done = subprocess.run(
            [program, "fmt", "-check", "-recursive", "-diff", folder],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_names_are_snake_case_and_do_not_repeat_their_type():
    for kind in ("variable", "output", "resource", "data"):
        found = list(blocks(kind))
        assert found, f"no {kind} was found: the test reads nothing"
        for thing, name, _ in found:
            assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name), f"{thing} {name}"
            assert thing.removeprefix("aws_") != name, f"{thing} {name} repeats its type"


def test_variables_and_outputs_are_documented_and_typed():
    for _, name, text in blocks("variable"):
        assert re.search(r'^  description = "[^"]{20,}', text, re.M), f"variable {name}"
        assert re.search(r"^  type +=", text, re.M), f"variable {name} has no type"
    for _, name, text in blocks("output"):
        assert re.search(r'^  description = "[^"]{20,}', text, re.M), f"output {name}"


def test_variables_are_all_used():
    text = "\n".join(file.read_text() for file in FILES)
    for _, name, _ in blocks("variable"):
        uses = re.sub(rf'^variable "{name}" \{{.*?^\}}', "", text, flags=re.M | re.S)
        assert f"var.{name}" in uses, f"variable {name} sets nothing"


def test_the_readme_names_every_variable_and_output():
    readme = (MODULE / "README.md").read_text()
    for kind in ("variable", "output"):
        for _, name, _ in blocks(kind):
            assert f"| `{name}` |" in readme, f"{kind} {name} is not in terraform/README.md"


def test_everything_that_can_be_tagged_is():
    """Costs are told apart by the tag; `terraform validate` says nothing of one left out."""
    tagged = {
        "aws_batch_compute_environment", "aws_batch_job_definition", "aws_batch_job_queue",
        "aws_budgets_budget", "aws_cloudwatch_event_rule", "aws_cloudwatch_log_group",
        "aws_cloudwatch_metric_alarm", "aws_ecr_repository", "aws_iam_role", "aws_kms_key",
        "aws_lambda_function", "aws_s3_bucket", "aws_sagemaker_model",
        "aws_sagemaker_notebook_instance", "aws_sns_topic", "aws_sqs_queue", "aws_vpc",
        "aws_vpc_endpoint",
    }  # fmt: skip
    seen = set()
    for thing, name, text in blocks("resource"):
        if thing in tagged:
            seen.add(thing)
            assert re.search(r"^  tags +=", text, re.M), f"{thing} {name} has no tags"
    assert seen == tagged


@pytest.mark.slow
def test_examples_are_valid(terraform, tmp_path):
    """Both at once: most of the time goes into starting the provider."""
    terraform.ready(tmp_path)
    calls = [
        f'module "{name}" {{\n  source = "./{MODULE.name}/examples/{name}"\n}}\n'
        for name in ("minimal", "vpc")
    ]
    (tmp_path / "main.tf").write_text("\n".join(calls))
    terraform.init(tmp_path)
    answer = json.loads(terraform.run(tmp_path, "validate", "-json").stdout)
    assert answer["valid"], answer
    assert answer["warning_count"] == 0, answer


@pytest.mark.slow
@pytest.mark.parametrize("run", ["example_minimal", "example_vpc", "defaults"])
def test_the_command_reads_the_outputs_of_the_examples_and_of_the_module(
    module_test, tmp_path, run
):
    """The examples pass the module on as one object; a root module may pass on each output."""
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(module_test.states[run]["outputs"]))
    outputs = read_outputs(file)
    assert set(outputs) == {name for _, name, _ in blocks("output")}
    assert set(outputs["repositories"]) == set(IMAGES)
    assert outputs["bucket"].endswith("-123456789012-eu-west-1")


@pytest.mark.slow
def test_terraform_test_passes(module_test):
    failed = {run: status for run, status in module_test.statuses.items() if status != "pass"}
    assert not failed, module_test.output
    assert {"defaults", "private_network", "refuses_images_by_tag"} <= set(module_test.statuses)
