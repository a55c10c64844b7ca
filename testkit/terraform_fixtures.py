"""Terraform's answers, asked for once however many processes run the tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from testkit.terraform_cli import find_terraform


@dataclass(frozen=True)
class ModuleTest:
    """What `terraform test` said: the status of each run, and what each made."""

    output: str
    statuses: dict[str, str]
    states: dict[str, Any]


@pytest.fixture(scope="session")
def terraform():
    return find_terraform()


@pytest.fixture(scope="session")
def module_test(terraform, tmp_path_factory) -> ModuleTest:
    """terraform/tests, run. It takes ten seconds, so one process runs it and the others wait."""
    shared = tmp_path_factory.getbasetemp()
    if shared.name.startswith("popen-"):
        shared = shared.parent
    written = shared / "terraform-test.jsonl"
    with FileLock(shared / "terraform-test.lock"):
        if not written.exists():
            module = terraform.ready(tmp_path_factory.mktemp("module"))
            terraform.init(module)
            written.write_text(terraform.run(module, "test", "-json", "-verbose").stdout)
    return read_module_test(written)


def read_module_test(written: Path) -> ModuleTest:
    statuses, states = {}, {}
    text = written.read_text()
    for line in text.splitlines():
        message = json.loads(line)
        if message["type"] == "test_run" and "status" in (run := message["test_run"]):
            statuses[run["run"]] = run["status"]
        elif message["type"] == "test_state":
            states[message["@testrun"]] = message["test_state"]
    return ModuleTest(text, statuses, states)
