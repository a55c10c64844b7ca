"""What the documentation needs beyond Markdown; mkdocs.yml names this file.

Pages link to files of the repository by relative paths, so that the links work in an editor and on
a code host, too. In the site each such file becomes a page or a download under source/. The command
reference is made from the parsers.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

from command_reference import command_reference
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)")
LOADED_FROM_OUTSIDE = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?(?:https?:)?//[^>]*>"
    r"|<link\b[^>]*\bhref=\"?(?:https?:)?//[^>]*>"
)
log = logging.getLogger("mkdocs.hooks.faceveil")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the command reference, and the files outside docs/ that pages link to."""
    from faceveil.cli import main, postprocess

    reference = command_reference(main.build_parser(), postprocess.build_parser())
    files.append(File.generated(config, "reference/commands.md", content=reference))
    pages = [file for file in files.documentation_pages() if file.abs_src_path]
    while pages:
        page = pages.pop()
        for target in _targets(page.content_string, Path(page.abs_src_path or "")):
            if files.get_file_from_path(_uri(target)) is None:
                added = File.generated(config, _uri(target), abs_src_path=str(target))
                files.append(added)
                if added.is_documentation_page():
                    pages.append(added)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links at where the files they name lie in the site."""
    if page.file.abs_src_path is None:
        return markdown
    source, folder = Path(page.file.abs_src_path), Path(page.file.src_uri).parent

    def in_site(match: re.Match[str]) -> str:
        uri = _uri(_resolved(match[1], source))
        return os.path.relpath(uri, folder) if files.get_file_from_path(uri) else match[1]

    return LINK.sub(in_site, markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Warn, which fails the build, where a page would load something from elsewhere."""
    for found in LOADED_FROM_OUTSIDE.findall(output):
        log.warning("%s loads something from outside: %s", page.file.src_uri, found)
    return output


def _targets(markdown: str, source: Path) -> Iterator[Path]:
    """The files outside docs/ that the Markdown of a source links to."""
    for link in LINK.findall(markdown):
        target = _resolved(link, source)
        if target.is_file() and target.is_relative_to(ROOT) and not target.is_relative_to(DOCS):
            yield target


def _resolved(link: str, source: Path) -> Path:
    """The file that a link names; a folder stands for its README."""
    target = (source.parent / link).resolve()
    return target / "README.md" if target.is_dir() else target


def _uri(path: Path) -> str:
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    return "source/" + Path(os.path.relpath(path, ROOT)).as_posix()
