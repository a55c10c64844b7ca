"""Fixtures of the review page's tests."""

import pytest

from testkit import PROJECT
from testkit.servers.stub_review_server import STATIC, StubReview, stub_review_server

SCREENSHOTS = PROJECT / "build" / "screenshots"


@pytest.fixture
def open_page(open_watched):
    """Opens the review page, watched."""
    assert (STATIC / "index.html").is_file(), "the review page is not built: run make page"

    def open_at(url, width=1366, height=768):
        return open_watched(url, "fv-people .person, fv-people .empty", width, height)

    return open_at


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
