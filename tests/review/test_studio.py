"""The studio as a person uses it: a real browser on the real server, over clips of known truth."""

import cv2
import numpy as np
import pytest

from testkit.clips import make_clip, write_video
from testkit.review_studio import KEPT, MISSED, TWO_PEOPLE, review_studio, true_analysis
from tests.review.driving import api, wait_until

pytestmark = pytest.mark.slow
WIDTH, HEIGHT, FRAMES = 640, 360, 250


@pytest.fixture(scope="module")
def clip():
    return make_clip(WIDTH, HEIGHT, FRAMES, seed=0, scenes=TWO_PEOPLE)


@pytest.fixture
def video(clip, tmp_path):
    path = tmp_path / "talk.mp4"
    write_video(clip, path)
    return path


@pytest.fixture
def analysis(clip, video):
    return true_analysis(clip, video)


def true_box(clip, person, frame):
    truth = clip.truth
    (row,) = np.flatnonzero((truth.frames == frame) & (truth.person == truth.people.index(person)))
    return truth.boxes[row]


def test_a_kept_person_is_shown_in_the_preview_before_anything_is_rendered(
    clip, video, analysis, open_page
):
    """A click on the row veils or keeps, and the veiled preview follows."""
    with review_studio(video, analysis) as url:
        page = open_page(url)

        def preview_of(person):
            revision = api(page, "state")["revision"]
            pictures = [
                page.request.get(
                    url.split("?")[0]
                    + f"api/v1/frames/100.jpg?width=640&view={view}&revision={revision}"
                ).body()
                for view in ("input", "veiled")
            ]
            before, after = (
                cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
                for picture in pictures
            )
            left, top, right, bottom = np.rint(true_box(clip, person, 100)).astype(int)
            part = np.s_[top:bottom, left:right]
            return float(np.abs(before[part].astype(int) - after[part]).mean())

        assert preview_of(MISSED) > 20
        assert preview_of(KEPT) < 8
        page.locator("fv-people .person", has=page.get_by_role("button", name="is veiled")).locator(
            "button.decide"
        ).click()
        wait_until(page, lambda: preview_of(MISSED) < 8)


def test_corrections_are_there_after_a_reload_and_can_be_undone(clip, video, analysis, open_page):
    with review_studio(video, analysis) as url:
        page = open_page(url)
        page.locator("fv-people .person").first.get_by_role("button", name="Rename").click()
        page.keyboard.type("Grace")
        page.keyboard.press("Enter")
        page.get_by_text("Grace").first.wait_for()
        page.reload()
        page.get_by_text("Grace").first.wait_for()
        page.keyboard.press("Control+z")
        page.get_by_role("button", name="Rename Grace").wait_for(state="hidden")


def test_two_tabs_notice_each_other(clip, video, analysis, open_page):
    with review_studio(video, analysis) as url:
        one, other = open_page(url), open_page(url)
        veiled = one.get_by_role("button", name="is veiled").count()
        one.get_by_role("button", name="is veiled").first.click()
        wait_until(other, lambda: other.get_by_role("button", name="is veiled").count() < veiled)


def test_the_corrections_name_the_reviewer(clip, video, analysis, open_page):
    with review_studio(video, analysis) as url:
        page = open_page(url)
        page.get_by_role("button", name="is veiled").first.click()
        wait_until(page, lambda: api(page, "state")["can_undo"])
        document = api(page, "corrections.json")
    (entry,) = [entry for entry in document["entries"] if entry["op"] == "decide"]
    assert entry["by"] == "Ada"
