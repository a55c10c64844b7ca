"""README and docs/ say what is so: their commands parse, their links lead somewhere."""

import pkgutil
import re
import shlex
import shutil
from pathlib import Path
from textwrap import dedent

import pytest

import faceveil
from faceveil.cli.main import build_parser
from testkit.clips import make_clip, write_video
from testkit.portraits import portrait_path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(path for path in ROOT.glob("*.md")),
    *(path for path in (ROOT / "docs").rglob("*.md")),
    *(ROOT / folder / "README.md" for folder in ("handler", "terraform", "postprocess_lambda")),
    *(ROOT / folder / "README.md" for folder in ("benchmarks", "labels")),
]
COMMAND = re.compile(r"^ {4,}((?:\.venv/bin/)?faceveil .*?)(?: {2,}.*)?$", re.MULTILINE)
LINK = re.compile(r"\]\((?!\w+:|#)([^)\s#]+)(?:#([\w-]+))?\)")
PATH = re.compile(r"`((?:faceveil|tests|docs|scripts|examples|benchmarks|testkit)/[\w./-]*)`")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
DOCUMENTED = re.findall(
    r"^::: ([\w.]+)$", (ROOT / "docs" / "reference" / "api.md").read_text(), re.MULTILINE
)


def name(path):
    return path.relative_to(ROOT).as_posix()


def anchors(page):
    """The anchors of a page's headings, as GitHub and mkdocs make them."""
    for title in HEADING.findall(page.read_text()):
        yield re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_shown_is_understood(page):
    parser = build_parser()
    for line in COMMAND.findall(page.read_text()):
        if "--help" in line or "…" in line:
            continue
        try:
            parser.parse_args(shlex.split(line, comments=True)[1:])
        except SystemExit:
            pytest.fail(f"{name(page)} shows a command that faceveil refuses: {line}")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page):
    for link, anchor in LINK.findall(page.read_text()):
        target = page.parent / link
        made = link.endswith("reference/commands.md")
        assert made or target.exists(), f"{name(page)} links to {link}, which does not exist"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{name(page)} links to {link}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_path_named_exists(page):
    for path in PATH.findall(page.read_text()):
        assert (ROOT / path).exists(), f"{name(page)} names {path}"


def test_the_design_lays_out_every_package():
    layout = (ROOT / "docs" / "design.md").read_text().partition("## Layout")[2].partition("## ")[0]
    for path in (ROOT / "faceveil").iterdir():
        if not path.stem.startswith("_") and (
            path.suffix == ".py" or (path / "__init__.py").exists()
        ):
            assert re.search(rf"`{path.stem}/?`", layout), f"the layout does not name {path.name}"


def test_the_guides_show_commands():
    """If the pattern above no longer matched, the test of commands would pass for nothing."""
    shown = COMMAND.findall((ROOT / "docs" / "guides" / "choosing_people.md").read_text())
    assert len(shown) > 5


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/guides/python.md"])
def test_the_python_shown_runs(page, tmp_path, monkeypatch):
    """As it stands, on a clip and a photo of the names that the pages use."""
    write_video(make_clip(320, 180, frame_count=24), tmp_path / "talk.mp4")
    (tmp_path / "photos" / "anchor").mkdir(parents=True)
    shutil.copy(portrait_path("obama3"), tmp_path / "photos" / "anchor")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^((?: {4}.*\n|\n)+)", (ROOT / page).read_text(), re.MULTILINE)
    programs = [dedent(block) for block in blocks if "from faceveil import" in block]
    assert programs
    for program in programs:
        exec(compile(program, page, "exec"), {})
    assert (tmp_path / "out.mp4").exists()


def test_every_public_name_is_documented():
    shown = {name.removeprefix("faceveil.") for name in DOCUMENTED} - {"errors"}
    assert {name for name in shown if "." not in name} | {"FaceveilError"} == set(faceveil.__all__)


@pytest.mark.parametrize("documented", DOCUMENTED)
def test_every_documented_name_exists(documented):
    assert pkgutil.resolve_name(documented)


def test_the_changelog_begins_with_this_version():
    releases = re.findall(r"^## \[(\d[^]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert releases[0] == faceveil.__version__
