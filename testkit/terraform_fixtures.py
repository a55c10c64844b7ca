"""Fixtures: Terraform, and its answers, computed once however many processes run the tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from testkit.made_once import made_once
from testkit.terraform_cli import Terraform, find_terraform


@dataclass(frozen=True)
class ModuleTest:
    """The output of `terraform test`, the status of each run and the state that each made."""

    output: str
    statuses: dict[str, str]
    states: dict[str, Any]


@pytest.fixture(scope="session")
def terraform() -> Terraform:
    """The program and its provider; skips where they are not installed."""
    return find_terraform()


@pytest.fixture(scope="session")
def module_test(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> ModuleTest:
    """terraform/tests, run. It takes ten seconds, so one process runs it and the others wait."""

    def make() -> str:
        module = terraform.ready(tmp_path_factory.mktemp("module"))
        terraform.init(module)
        lines = terraform.run(module, "test", "-json", "-verbose").stdout.splitlines()
        # Plans are most of the 300 MB, which every process would read; only states are asked for.
        return "\n".join(line for line in lines if '"type":"test_plan"' not in line)

    return read_module_test(made_once(tmp_path_factory, "terraform-test.jsonl", make))


def read_module_test(text: str) -> ModuleTest:
    """Read the lines of JSON that `terraform test` printed."""
    statuses, states = {}, {}
    for line in text.splitlines():
        message = json.loads(line)
        if message["type"] == "test_run" and "status" in (run := message["test_run"]):
            statuses[run["run"]] = run["status"]
        elif message["type"] == "test_state":
            states[message["@testrun"]] = message["test_state"]
    return ModuleTest(text, statuses, states)
