"""Imports point one way: the layers of docs/design.md, read from the syntax trees of all modules.

A layer may import itself and those below. Imports inside functions count, too, and so do those for
type checkers alone: a type of a layer above is an arrow upwards.
"""

import ast
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from testkit import PROJECT

LAYERS = (
    "errors faces boxes luma frame_range decisions json_columns leftovers analysis progress "
    "resources paths files parallel schemas aws weights",
    "media detect shots sampling tracking sequence identity veils",
    "corrections assure evaluation",
    "finding veiling rendering pipeline",
    "jobs rekognition local_transform review live",
    "cli __main__",
)
LEVELS = {name: level for level, layer in enumerate(LAYERS) for name in layer.split()}
DEPLOYABLES = ("model", "handler", "postprocess_lambda")
ENGINES = {"onnxruntime", "openvino"}
BOTO = {"boto3", "botocore"}
WEB_SERVERS = {"starlette", "fastapi", "uvicorn", "aiohttp"}


@cache
def modules() -> Sequence[tuple[str, str, frozenset[str]]]:
    """The dotted name of each module, the part of faceveil it belongs to, and what it imports."""
    found = []
    for path in sorted((PROJECT / "faceveil").rglob("*.py")):
        parts = path.relative_to(PROJECT).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        found.append((name, parts[1], imports(ast.parse(path.read_text(), str(path)))))
    return found


def imports(tree: ast.AST) -> frozenset[str]:
    """The dotted names that a tree imports; of `from a import b` both `a` and `a.b`."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {item.name for item in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where an arrow points"
            found.add(str(node.module))
            found |= {f"{node.module}.{item.name}" for item in node.names}
    return frozenset(found)


def part_of(imported: str) -> str | None:
    """The part of faceveil that an imported name belongs to, None for other packages."""
    words = imported.split(".")
    return words[1] if words[0] == "faceveil" and len(words) > 1 else None


def users(packages: set[str]) -> set[str]:
    """The modules of faceveil that import any of these packages."""
    return {
        name
        for name, _, imported_names in modules()
        if any(imported.split(".")[0] in packages for imported in imported_names)
    }


def test_every_part_of_the_package_has_a_layer():
    parts = {part for _, part, _ in modules()} - {"__init__"}
    assert parts <= LEVELS.keys()


def test_no_import_points_upwards():
    upwards = [
        f"{name} imports {imported}"
        for name, part, imported_names in modules()
        if part != "__init__"
        for imported in sorted(imported_names)
        if LEVELS.get(part_of(imported) or "", -1) > LEVELS[part]
    ]
    assert upwards == []


def test_nothing_of_the_library_imports_the_command_line_or_a_deployable():
    outside = {*DEPLOYABLES, "tests", "testkit", "scripts", "benchmarks"}
    guilty = [
        f"{name} imports {imported}"
        for name, part, imported_names in modules()
        for imported in sorted(imported_names)
        if imported.split(".")[0] in outside or (part_of(imported) == "cli" and part != "cli")
    ]
    assert [line for line in guilty if not line.startswith("faceveil.__main__ ")] == []


def test_boto3_is_imported_in_the_package_for_aws_only():
    assert {name for name in users(BOTO) if not name.startswith("faceveil.aws.")} == set()


def test_engines_are_imported_in_the_package_for_weights_only():
    assert {name for name in users(ENGINES) if not name.startswith("faceveil.weights.")} == set()


def test_a_web_server_is_imported_in_review_and_live_only():
    allowed = ("faceveil.review.", "faceveil.live.")
    assert {name for name in users(WEB_SERVERS) if not name.startswith(allowed)} == set()


@pytest.mark.parametrize("production", ["jobs", "aws"])
def test_production_does_not_import_the_emulator(production):
    emulated = [
        f"{name} imports {imported}"
        for name, part, imported_names in modules()
        if part == production
        for imported in imported_names
        if part_of(imported) == "local_transform"
    ]
    assert emulated == []


@pytest.mark.parametrize("deployable", DEPLOYABLES)
def test_a_deployable_does_not_import_boto3_by_itself(deployable):
    for path in Path(PROJECT, deployable).rglob("*.py"):
        assert not {name.split(".")[0] for name in imports(ast.parse(path.read_text()))} & BOTO
