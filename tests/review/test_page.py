"""What the review page itself does, over a stub: every control, by pointer and by key."""

import pytest

from testkit import PROJECT
from testkit.servers.stub_review_server import SHOT, StubReview, stub_review_server
from tests.review.driving import at, drag, shown_frame, wait_until

pytestmark = pytest.mark.slow
DRAG_STEPS = 10  # a hand moves the pointer; one jump can miss the row on a busy machine
AXE = PROJECT / "web" / "node_modules" / "axe-core" / "axe.min.js"
LEFT = (205, 285)  # the middle of the left person's face on frame 0


def sent(page, review, count=1):
    """The last correction, once `count` have arrived, without its revision."""
    wait_until(page, lambda: len(review.corrections) >= count)
    return {key: value for key, value in review.corrections[-1].items() if key != "revision"}


def select_left(page):
    """Select the left person's face without deciding."""
    page.mouse.move(*at(page, *LEFT))
    page.keyboard.down("Shift")
    page.mouse.click(*at(page, *LEFT))
    page.keyboard.up("Shift")
    page.get_by_role("button", name="Veil only here").wait_for()


def test_a_click_on_a_row_or_a_face_keeps_and_veils(studio, review):
    studio.get_by_role("button", name="Person 2 is veiled: keep").click()
    assert sent(studio, review) == {"op": "decide", "target": {"identity": 1}, "decision": "keep"}
    studio.get_by_role("button", name="Person 2 is kept: veil").wait_for()
    studio.mouse.click(*at(studio, *LEFT))
    expected = {"op": "decide", "target": {"identity": 0}, "decision": "veil"}
    assert sent(studio, review, 2) == expected


def test_a_click_is_answered_before_the_server_has_answered(studio, review):
    """Of hours of video an answer takes a while; a person must see at once what a click did."""
    held = []

    def hold(route):
        held.append(route)

    studio.route("**/api/v1/corrections", hold)
    description = "fv-picture canvas[aria-label*='Person 2 kept']"
    assert studio.locator(description).count() == 0
    studio.get_by_role("button", name="Person 2 is veiled: keep").click()
    studio.locator(description).wait_for()
    wait_until(studio, lambda: held)
    assert review.corrections == []
    error = {"error": {"code": "refused", "message": "The disk is full."}}
    held.pop().fulfill(status=500, json=error)
    studio.locator(description).wait_for(state="detached")
    studio.get_by_text("The disk is full.").wait_for()


def test_space_plays_also_after_the_mouse_has_pressed_a_button(studio, review):
    """It must not press the button again: that would undo what the click has done."""
    keep = studio.get_by_role("button", name="Person 2 is veiled: keep")
    keep.click()
    sent(studio, review)
    studio.get_by_role("button", name="Person 2 is kept: veil").wait_for()
    studio.keyboard.press("Space")
    studio.get_by_role("button", name="Pause").wait_for()
    studio.keyboard.press("Space")
    studio.get_by_role("button", name="Play", exact=False).first.wait_for()
    assert len(review.corrections) == 1


def test_space_presses_a_button_that_was_reached_by_keys(studio, review):
    studio.get_by_role("button", name="Person 2 is veiled: keep").focus()
    studio.keyboard.press("Space")
    assert sent(studio, review)["decision"] == "keep"
    studio.keyboard.press("r")
    matte = studio.get_by_label("Matte for editing programs")
    matte.focus()
    studio.keyboard.press("Space")
    assert matte.is_checked()


def test_a_person_is_named_by_typing(studio, review):
    studio.get_by_role("button", name="Rename Person 3").click()
    studio.keyboard.type("Grace")
    studio.keyboard.press("Enter")
    assert sent(studio, review) == {"op": "name", "identity": 2, "name": "Grace"}
    studio.get_by_role("button", name="Rename Grace").wait_for()


def test_a_row_dragged_on_another_joins_two_people(studio, review):
    rows = studio.locator("fv-people .person")
    rows.nth(2).drag_to(rows.nth(0), steps=DRAG_STEPS)
    assert sent(studio, review) == {"op": "join", "identities": [2, 0]}


def test_a_sequence_dragged_on_a_person_moves_there(studio, review):
    studio.get_by_role("button", name="Sequences of Person 3").click()
    # until it is loaded, an empty row is in its place
    dragged = studio.locator("fv-people .sequence[draggable]")
    dragged.drag_to(studio.locator("fv-people .person").nth(0), steps=DRAG_STEPS)
    assert sent(studio, review) == {"op": "move", "sequence": 2, "identity": 0}


def test_joining_and_moving_need_no_pointer(studio, review):
    studio.get_by_role("button", name="Join Person 2 with another person").press("Enter")
    studio.get_by_role("button", name="Person 3", exact=True).press("Enter")
    assert sent(studio, review) == {"op": "join", "identities": [1, 2]}
    studio.keyboard.press("b")
    studio.keyboard.press("m")
    studio.get_by_role("button", name="A new person of its own").press("Enter")
    assert sent(studio, review, 2) == {"op": "move", "sequence": 0, "identity": None}


def test_a_sequence_is_decided_alone_split_and_used_as_a_reference(studio, review):
    studio.keyboard.press("Shift+ArrowRight")
    studio.keyboard.press("b")
    studio.keyboard.press("Shift+T")
    expected = {"op": "decide", "target": {"sequence": 0}, "decision": "veil"}
    assert sent(studio, review) == expected
    studio.keyboard.press("s")
    assert sent(studio, review, 2) == {"op": "split", "sequence": 0, "frame": 10}
    studio.keyboard.press("u")
    reference = sent(studio, review, 3)
    assert reference == {"op": "reference", "identity": 0, "frame": 10, "box": review.box(0, 10)}


def test_a_box_is_drawn_with_its_kind(studio, review):
    studio.keyboard.press("3")
    drag(studio, (700, 420), (800, 480))
    correction = sent(studio, review)
    assert (correction["op"], correction["kind"]) == ("draw", "plate")
    (keyframe,) = correction["keyframes"]
    assert keyframe["frame"] == 0
    assert keyframe["box"] == pytest.approx([700, 420, 800, 480], abs=2)


def test_a_box_is_drawn_by_keys_alone(studio, review):
    studio.keyboard.press("d")
    studio.locator("fv-picture canvas").focus()
    for key in ("Enter", "ArrowRight", "Shift+ArrowDown", "Enter"):
        studio.keyboard.press(key)
    (keyframe,) = sent(studio, review)["keyframes"]
    assert keyframe["box"] == [640 - 72 + 8, 360 - 72, 640 + 72 + 8, 360 + 72 + 8]


def test_a_box_is_resized_by_a_handle_and_moved_as_a_whole(studio, review):
    select_left(studio)
    drag(studio, (260, 350), (300, 400))
    shape = sent(studio, review)
    assert (shape["op"], shape["sequence"]) == ("shape", 0)
    assert shape["keyframes"][0]["box"] == pytest.approx([150, 220, 300, 400], abs=2)
    studio.keyboard.press("a")
    drag(studio, LEFT, (LEFT[0] + 40, LEFT[1] + 20))
    moved = sent(studio, review, 2)["keyframes"][0]["box"]
    assert moved == pytest.approx([190, 240, 300, 370], abs=2)


def test_a_click_without_moving_changes_no_box(studio, review):
    """The handles of a small box cover it: a click there must not send a shape."""
    select_left(studio)
    studio.mouse.click(*at(studio, 260, 350))
    assert sent(studio, review)["op"] == "decide"


def test_a_sequence_begins_and_ends_at_the_frame_shown(studio, review):
    select_left(studio)
    studio.get_by_text("00:04:24").first.wait_for()
    for _ in range(3):
        studio.keyboard.press("ArrowRight")
    studio.keyboard.press("i")
    assert sent(studio, review) == {
        "op": "extent",
        "sequence": 0,
        "first": 3,
        "last": SHOT - 1,
    }


def test_a_veil_is_removed_with_a_reason(studio, review):
    select_left(studio)
    studio.keyboard.press("Delete")
    studio.get_by_label("Another reason").fill("a mannequin")
    studio.get_by_label("From this frame on").check()
    studio.get_by_role("button", name="Remove veil", exact=True).click()
    assert sent(studio, review) == {
        "op": "remove",
        "sequence": 0,
        "first": 0,
        "why": "a mannequin",
    }


def test_frames_are_stepped_exactly_and_reported_as_looked_at(studio, review):
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "Shift+ArrowRight"):
        studio.keyboard.press(key)
        studio.wait_for_timeout(150)
    assert shown_frame(studio) == 11
    wait_until(studio, lambda: (11, 11) in review.looked)
    assert {frame for first, last in review.looked for frame in range(first, last + 1)} == {
        0,
        1,
        2,
        11,
    }


def test_playing_shows_every_frame_and_stops_at_the_end(open_page):
    review = StubReview(frame_count=60)
    with stub_review_server(review) as url:
        page = open_page(url)
        page.keyboard.press("Space")
        wait_until(page, lambda: shown_frame(page) == 59, timeout=30)
        page.get_by_role("button", name="Play (Space)").wait_for()
        looked = set()

        def all_reported():
            looked.update(
                frame for first, last in review.looked for frame in range(first, last + 1)
            )
            return len(looked) == 60

        wait_until(page, all_reported)


def test_places_are_reached_by_time_shot_and_risk(studio):
    studio.keyboard.press("g")
    studio.get_by_label("Frame number or time").fill("0:05")
    studio.keyboard.press("Enter")
    wait_until(studio, lambda: shown_frame(studio) == 125)
    studio.keyboard.press("Home")
    studio.keyboard.press("PageDown")
    assert shown_frame(studio) == SHOT
    studio.keyboard.press("n")
    wait_until(studio, lambda: shown_frame(studio) == 40)
    studio.get_by_text("low scores").wait_for()


def test_undo_is_offered_once_there_is_something_to_undo(studio, review):
    undo = studio.get_by_role("button", name="Undo")
    assert undo.is_disabled()
    studio.get_by_role("button", name="Person 2 is veiled: keep").click()
    wait_until(studio, undo.is_enabled)
    studio.keyboard.press("Control+z")
    wait_until(studio, lambda: review.corrections == [])


def test_rendering_shows_progress_and_can_be_cancelled(studio, review):
    review.findings = [{"frame": 60, "box": None, "what": "A face shows"}]
    studio.keyboard.press("r")
    studio.get_by_role("button", name="Render and verify").click()
    panel = studio.locator("fv-render-panel")
    panel.get_by_text("Rendering… 37 %").wait_for()
    panel.get_by_role("button", name="Cancel").click()
    panel.get_by_text("A face shows").click()
    assert shown_frame(studio) == 60


def test_another_tab_is_noticed(studio, review):
    review.names[0] = "Katherine"
    review.raise_revision()
    studio.locator("fv-people").get_by_text("Katherine").wait_for()


def test_a_lost_connection_is_shown_until_it_is_back(open_page):
    review = StubReview()
    with stub_review_server(review) as url:
        page = open_page(url)
    port = int(url.rsplit(":", 1)[1].strip("/"))
    page.get_by_text("The connection is lost").wait_for()
    with stub_review_server(review, port):
        page.get_by_text("The connection is lost").wait_for(state="hidden", timeout=20_000)


def test_the_help_lists_the_shortcuts(studio):
    studio.keyboard.press("?")
    studio.get_by_role("heading", name="Shortcuts").wait_for()
    studio.keyboard.press("Escape")
    studio.get_by_role("heading", name="Shortcuts").wait_for(state="hidden")


def test_letters_typed_into_fields_are_no_shortcuts(studio, review):
    studio.get_by_role("button", name="Rename Person 1").click()
    studio.keyboard.type("Dan Xu")
    assert studio.locator("dialog").count() == 0
    studio.keyboard.press("Enter")
    assert sent(studio, review)["name"] == "Dan Xu"


def test_thousands_of_people_and_eight_hours_make_few_rows(open_page):
    review = StubReview(frame_count=720_000, people=17_000)
    with stub_review_server(review) as url:
        page = open_page(url)
        assert page.locator("fv-people .person").count() < 30
        page.locator("fv-people").evaluate("list => list.scrollTo(0, 126 * 16000)")
        page.get_by_role("button", name="Person 16001 is veiled: keep").click()
        assert sent(page, review)["target"] == {"identity": 16000}
        assert page.locator("fv-people .person").count() < 30
        page.keyboard.press("End")
        wait_until(page, lambda: shown_frame(page) == 719_999)


@pytest.mark.parametrize("panel", ["people", "render", "shortcuts", "remove"])
def test_the_page_passes_the_accessibility_checks_of_axe(studio, review, panel):
    """Contrast (WCAG AA), names and roles of every control, by axe-core."""
    review.findings = [{"frame": 60, "box": None, "what": "A face shows"}]
    select_left(studio)
    studio.get_by_role("button", name="Sequences of Person 1").click()
    keys = {"people": "b", "render": "r", "shortcuts": "?", "remove": "Delete"}
    studio.keyboard.press(keys[panel])
    studio.wait_for_timeout(300)
    studio.evaluate(AXE.read_text())
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
    found = studio.evaluate("tags => axe.run({runOnly: tags})", tags)
    faults = [
        f"{fault['id']}: {node['target']} {node['failureSummary']}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]
    assert faults == []


def test_the_guide_lists_the_shortcuts_that_the_page_has(studio):
    studio.keyboard.press("?")
    rows = studio.locator("fv-dialog section div")
    rows.first.wait_for()
    listed = rows.evaluate_all(
        r"""rows => rows.map(row => {
            const keys = [...row.querySelectorAll("kbd")].map(key => `\`${key.textContent}\``);
            return `| ${keys.join(" ")} | ${row.firstElementChild.textContent} |`;
        })"""
    )
    guide = (PROJECT / "docs" / "guides" / "reviewing.md").read_text(encoding="utf-8")
    assert [row for row in listed if row not in guide] == []
