"""The studio as a person uses it: a real browser on the real server, over clips of known truth."""

from dataclasses import replace
from functools import partial

import av
import cv2
import numpy as np
import pytest

from faceveil.assure.html_report import read_report
from faceveil.boxes import iou
from faceveil.faces import Provenance
from faceveil.files import file_digest
from testkit.clips import make_clip, write_video
from testkit.review_studio import KEPT, MISSED, TWO_PEOPLE, review_studio, true_analysis, without
from testkit.truth import ENCODED, coverage_of_pixels
from tests.review.driving import api, corrected, drag, go_to, settle, wait_until

pytestmark = pytest.mark.slow
WIDTH, HEIGHT, FRAMES = 640, 360, 250
SIZE = {"width": WIDTH, "height": HEIGHT}


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


def index_of(clip, analysis, person):
    return analysis.identities.tolist().index(clip.truth.people.index(person))


def true_box(clip, person, frame):
    truth = clip.truth
    (row,) = np.flatnonzero((truth.frames == frame) & (truth.person == truth.people.index(person)))
    return truth.boxes[row]


def frames_of(path):
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def shares(clip, person, video, output):
    """The share of each frame's face of a person that the output has changed."""
    truth = clip.truth
    covered = coverage_of_pixels(truth, frames_of(video), frames_of(output), ENCODED)
    return covered[truth.person == truth.people.index(person)]


def boxes_of(page, first, last):
    columns = api(page, f"boxes?first={first}&last={last}")
    return [
        (frame, np.array(box), veiled)
        for frame, box, veiled in zip(
            columns["frames"], columns["boxes"], columns["veiled"], strict=True
        )
    ]


def test_one_drawn_box_covers_a_missed_person_in_the_whole_shot(
    clip, video, analysis, open_page, tmp_path
):
    """The chief promise: corrected once in one frame, it holds in the published video."""
    missed = without(analysis, index_of(clip, analysis, MISSED))
    with review_studio(video, missed) as url:
        page = open_page(url)
        go_to(page, 125)
        left, top, right, bottom = map(float, true_box(clip, MISSED, 125))
        page.keyboard.press("d")
        corrected(page, lambda: drag(page, (left, top), (right, bottom), **SIZE))
        page.keyboard.press("r")
        page.get_by_role("button", name="Render and verify").click()
        page.wait_for_timeout(500)
        settle(page)
        with page.expect_download() as download:
            page.get_by_role("button", name="The veiled video").click()
        output = tmp_path / "downloaded.mp4"
        download.value.save_as(output)
        with page.expect_download() as download:
            page.get_by_role("button", name="Report to read").click()
        download.value.save_as(tmp_path / "report.html")
    report = read_report(tmp_path / "report.html")
    assert report["output"]["digest"] == file_digest(output)
    assert [entry["op"] for entry in report["corrections"]["entries"]] == ["draw"]
    covered = shares(clip, MISSED, video, output)
    assert len(covered) == FRAMES
    assert (covered >= 0.9).mean() >= 0.99
    assert (shares(clip, KEPT, video, output) < 0.3).all()


def test_a_wrong_box_is_corrected_in_two_frames_and_the_stretch_between_follows(
    clip, video, analysis, open_page
):
    """A sequence that lies beside its face is moved onto it on two frames at most."""
    index = index_of(clip, analysis, MISSED)
    sequences = list(analysis.sequences)
    sequences[index] = replace(
        sequences[index],
        boxes=sequences[index].boxes - np.float32([110, 0, 110, 0]),
        provenance=np.full(FRAMES, Provenance.INTERPOLATED, np.uint8),
    )
    with review_studio(video, replace(analysis, sequences=sequences)) as url:
        page = open_page(url)
        page.keyboard.press("a")
        for frame in (60, 180):
            go_to(page, frame)
            wrong = max(
                (box for _, box, veiled in boxes_of(page, frame, frame) if veiled),
                key=lambda box: box[0],
            )
            right = true_box(clip, MISSED, frame)
            middle = [(wrong[0] + wrong[2]) / 2, (wrong[1] + wrong[3]) / 2]
            shift = [float(right[0] - wrong[0]), float(right[1] - wrong[1])]
            target = (middle[0] + shift[0], middle[1] + shift[1])
            if np.abs(shift).max() < 4:
                continue  # what was followed from the first frame lies on the face already
            start, end = tuple(map(float, middle)), tuple(map(float, target))
            corrected(page, partial(drag, page, start, end, **SIZE))
        for frame in range(60, 181, 10):
            right = true_box(clip, MISSED, frame)
            best = max(
                iou(box[None], right[None])[0]
                for _, box, veiled in boxes_of(page, frame, frame)
                if veiled
            )
            assert best > 0.6, frame


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


def test_a_rendering_is_cancelled_and_leaves_nothing(clip, video, analysis, open_page):
    """Half a video must not lie there as if it were one; another rendering can begin."""
    before = set(video.parent.iterdir())
    with review_studio(video, analysis) as url:
        page = open_page(url)
        page.keyboard.press("r")
        page.get_by_role("button", name="Render and verify").click()
        page.locator("fv-render-panel").get_by_role("button", name="Cancel").click()
        page.get_by_text("Rendering was cancelled.").wait_for()
        page.get_by_role("button", name="Render and verify").wait_for()
        (task,) = api(page, "state")["tasks"]
        assert task["state"] == "cancelled"
        assert api(page, "state")["output"] is None
        left = {path.name for path in set(video.parent.iterdir()) - before}
    assert not {name for name in left if "veiled" in name}


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
