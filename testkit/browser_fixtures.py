"""A real browser for tests, and pages that are watched while they run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

CHROMIUM = Path(os.environ.get("FACEVEIL_CHROMIUM", "/usr/bin/chromium"))


class OpenPage(Protocol):
    """Opens an address, and waits for a selector."""

    def __call__(self, url: str, wait_for: str, width: int = ..., height: int = ...) -> Page:
        """Return the page."""
        ...


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, driven by Playwright; skips where there is none."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs a browser: {CHROMIUM} is missing (apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture
def open_watched(browser: Browser) -> Iterator[OpenPage]:
    """Opens a page; fails at the end if it asked another host, broke its CSP or threw an error."""
    contexts, faults = [], list[str]()

    def open_at(url: str, wait_for: str, width: int = 1366, height: int = 768) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        origin = "/".join(url.split("/")[:3])

        def watch_request(request: Request) -> None:
            if not request.url.startswith((origin, "blob:")):
                faults.append(f"asked for {request.url}")

        def watch_console(message: ConsoleMessage) -> None:
            if message.type == "error" and "Failed to load resource" not in message.text:
                faults.append(message.text)

        page.on("request", watch_request)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", watch_console)
        page.goto(url)
        page.wait_for_selector(wait_for)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert faults == []
