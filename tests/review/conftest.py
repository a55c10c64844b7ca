"""Fixtures of the review page's tests: a browser, and pages that are watched while they run."""

import os
from pathlib import Path

import pytest

from testkit import PROJECT
from testkit.servers.stub_review_server import STATIC, StubReview, stub_review_server

CHROMIUM = Path(os.environ.get("FACEVEIL_CHROMIUM", "/usr/bin/chromium"))
SCREENSHOTS = PROJECT / "build" / "screenshots"


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium, driven by Playwright; skips where there is none."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs a browser: {CHROMIUM} is missing (apt install chromium)")
    assert (STATIC / "index.html").is_file(), "the review page is not built: run make page"
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser):
    """Opens a page; fails at the end if it asked another host, broke its CSP or threw an error."""
    contexts, faults = [], []

    def open_at(url, width=1366, height=768):
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        origin = "/".join(url.split("/")[:3])

        def watch_request(request):
            if not request.url.startswith((origin, "blob:")):
                faults.append(f"asked for {request.url}")

        def watch_console(message):
            if message.type == "error" and "Failed to load resource" not in message.text:
                faults.append(message.text)

        page.on("request", watch_request)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", watch_console)
        page.goto(url)
        page.wait_for_selector("fv-people .person, fv-people .empty")
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def review():
    """What the stub serves; a test changes it before it opens the page."""
    return StubReview()


@pytest.fixture
def studio(review, open_page):
    """The page over the stub."""
    with stub_review_server(review) as url:
        page = open_page(url)
        page.locator("fv-picture canvas[aria-label*='Person']").wait_for()
        yield page


@pytest.fixture(scope="session")
def screenshots():
    """The folder of the screenshots that the documentation shows."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS
