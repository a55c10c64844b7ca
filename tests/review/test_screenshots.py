"""The screenshots of the guides, of each part of the page; `docs/` shows copies of them."""

import io

import pytest
from PIL import Image as Picture

from testkit.clips import make_clip, write_video
from testkit.review_studio import review_studio, true_analysis
from tests.review.driving import api, corrected, drag, go_to, settle, wait_until

pytestmark = pytest.mark.slow
SIZE = {"width": 1280, "height": 720}
LARGEST = 200_000  # bytes of a picture in docs/


@pytest.fixture(scope="module")
def clip():
    return make_clip(1280, 720, frame_count=250, seed=0)


@pytest.fixture
def page(clip, tmp_path, open_page):
    video = tmp_path / "interview.mp4"
    write_video(clip, video)
    with review_studio(video, true_analysis(clip, video)) as url:
        yield open_page(url, width=1440, height=860)


@pytest.fixture
def save(page, screenshots):
    """Saves what the page shows as WebP, small enough for the documentation."""

    def save_as(name):
        page.wait_for_timeout(800)
        picture = Picture.open(io.BytesIO(page.screenshot()))
        path = screenshots / f"{name}.webp"
        picture.save(path, quality=80, method=6)
        assert path.stat().st_size < LARGEST

    return save_as


def test_every_part_of_the_page(page, save):
    """People named and opened, a box drawn and followed, the legend, the risk, the preview."""
    page.locator("fv-people .person").first.get_by_role("button", name="Rename").click()
    page.keyboard.type("Anchor")
    page.keyboard.press("Enter")
    page.locator("fv-people").get_by_text("Anchor").wait_for()
    go_to(page, 200)
    page.keyboard.press("b")
    page.locator("fv-people button[aria-expanded]").first.click()
    page.get_by_role("button", name="Legend").click()
    save("review_studio")
    page.get_by_role("button", name="Legend").click()
    page.keyboard.press("5")
    corrected(page, lambda: drag(page, (560, 40), (700, 140), **SIZE))
    save("review_drawn")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    save("review_next")
    page.keyboard.press("v")
    save("review_veils")
    page.keyboard.press("?")
    save("review_shortcuts")


def test_rendering_and_its_verification(page, save):
    page.keyboard.press("r")
    page.get_by_role("button", name="Render and verify").click()
    wait_until(page, lambda: any(task["done"] > 20 for task in api(page, "state")["tasks"]), 60)
    save("review_rendering")
    settle(page, timeout=300)
    save("review_render")
