"""The studio in a second browser: what the other tests do in Chromium works in Firefox, too."""

import shutil
from pathlib import Path

import pytest

from testkit.made_review import HEIGHT, TOKEN, WIDTH, made_review, served

FIREFOX = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)


@pytest.fixture
def opened(tmp_path):
    if FIREFOX is None:
        pytest.skip("needs a second browser: Firefox is missing (apt install firefox-esr)")
    from testkit.firefox import firefox

    profile = tmp_path / "profile"
    profile.mkdir()
    with (
        served(*made_review(tmp_path / "talk.mp4")) as studio,
        firefox(Path(FIREFOX), profile) as page,
    ):
        page.goto(f"http://127.0.0.1:{studio.port}/?token={TOKEN}")
        yield page, studio


@pytest.mark.slow
def test_a_frame_is_shown_and_a_box_is_drawn_and_undone(opened):
    """The page opens, its canvas shows the frame, a drag draws a box, and Ctrl-Z takes it back."""
    page, studio = opened
    canvas = 'deep("fv-picture").renderRoot.querySelector("canvas")'
    page.wait_for(f'deep("fv-people .person, .person") && {canvas}.ariaLabel.includes("Person")')
    page.wait_for(
        f'new Set({canvas}.getContext("2d").getImageData('
        f"{canvas}.width / 2, {canvas}.height / 2, 40, 40).data).size > 10"
    )
    left, top, width, height = page.evaluate(
        f"(({{x, y, width, height}}) => [x, y, width, height])({canvas}.getBoundingClientRect())"
    )
    scale = min(width / WIDTH, height / HEIGHT)
    middle = left + width / 2, top + height / 2
    page.press("d")
    page.drag(middle, (middle[0] + 60 * scale, middle[1] + 60 * scale))
    page.wait_for('fetch("/api/v1/state").then((it) => it.json()).then((it) => it.can_undo)')
    page.wait_for(f'{canvas}.ariaLabel.split(" veiled").length === 4')
    drawn = studio.get("boxes?first=0&last=0")
    x1, y1, x2, y2 = drawn["boxes"][drawn["objects"].index("o1")]
    assert abs(x1 - WIDTH / 2) < 2 and abs(y1 - HEIGHT / 2) < 2
    assert abs(x2 - x1 - 60) < 3 and abs(y2 - y1 - 60) < 3
    page.press("\ue009", "z")  # Control
    page.wait_for(f'{canvas}.ariaLabel.split(" veiled").length === 3')
    assert studio.get("state")["can_redo"]
