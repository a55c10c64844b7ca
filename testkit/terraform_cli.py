"""Terraform as the tests run it: on a copy of the module, with the provider that lies here."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from testkit import PROJECT

MODULE = PROJECT / "terraform"
DEPLOYMENT = PROJECT / "tests" / "terraform" / "deployment"
PLUGINS_VARIABLE = "FACEVEIL_TERRAFORM_PLUGINS"
_PLUGIN_FOLDERS = ("~/.terraform.d", "/usr/local/share/terraform", "/usr/share/terraform", "/opt")


@dataclass(frozen=True)
class Terraform:
    """The program, and the folder of provider plugins (as `terraform providers mirror` makes)."""

    program: str
    plugins: Path

    def run(
        self, folder: Path, *arguments: str, variables: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run in `folder`; a failure is the caller's to judge."""
        environment = {name: value for name, value in os.environ.items() if name[:3] != "TF_"}
        environment |= {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
        environment |= {f"TF_VAR_{name}": value for name, value in (variables or {}).items()}
        return subprocess.run(
            [self.program, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def ready(self, folder: Path) -> Path:
        """A copy of the module, of its examples and of the tests' deployment in `folder`, where
        Terraform may leave its own files. Returns the module's."""
        module = folder / MODULE.name
        shutil.copytree(MODULE, module, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        shutil.copytree(DEPLOYMENT, folder / DEPLOYMENT.name)
        return module

    def init(self, folder: Path) -> None:
        """Make `folder` usable: its modules and the provider."""
        done = self.run(
            folder, "init", "-backend=false", "-input=false", f"-plugin-dir={self.plugins}"
        )
        assert done.returncode == 0, done.stderr


def find_terraform() -> Terraform:
    """Skips the test where the program or AWS's provider is not on this machine."""
    program = find_program()
    places = [Path(place).expanduser() for place in _PLUGIN_FOLDERS]
    candidates = [folder for place in places for folder in (place, *place.glob("*/"))]
    if named := os.environ.get(PLUGINS_VARIABLE):
        candidates = [Path(named)]
    for candidate in candidates:
        # FOLDER/HOST/hashicorp/aws/VERSION/PLATFORM/terraform-provider-aws_…
        if any(candidate.glob("*/hashicorp/aws/*/*/terraform-provider-aws*")):
            return Terraform(program, candidate)
    pytest.skip(
        "needs the plugin terraform-provider-aws: `terraform providers mirror FOLDER` in "
        f"terraform/ fetches it, {PLUGINS_VARIABLE}=FOLDER says where it is"
    )


def find_program() -> str:
    """Skips the test where there is no Terraform."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("needs the program terraform, which is not on this machine's PATH")
    return program
