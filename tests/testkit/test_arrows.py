"""What tests, benchmarks, scripts and examples share lies in testkit, and is imported normally."""

import ast

import pytest

from testkit import PROJECT

FOLDERS = ("faceveil", "testkit", "tests", "benchmarks", "scripts", "examples", "handler", "model")


def trees(*folders):
    for folder in folders:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            yield path.relative_to(PROJECT), ast.parse(path.read_text())


def test_no_file_edits_the_search_path():
    found = [
        str(path)
        for path, tree in trees(*FOLDERS)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node) in ("sys.path.insert", "sys.path.append", "sys.path.extend")
    ]
    assert not found


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("faceveil", {"testkit", "tests", "benchmarks", "scripts"}),
        ("handler", {"testkit", "tests", "benchmarks", "scripts"}),
        ("testkit", {"tests", "benchmarks", "scripts"}),
        ("scripts", {"tests", "benchmarks"}),
        ("benchmarks", {"tests", "scripts"}),
    ],
)
def test_arrows_point_one_way(folder, forbidden):
    wrong = [
        f"{path}: {name}"
        for path, tree in trees(folder)
        for node in ast.walk(tree)
        for name in names(node)
        if name.partition(".")[0] in forbidden
    ]
    assert not wrong


def names(node):
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
