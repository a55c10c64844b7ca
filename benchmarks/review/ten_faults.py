"""How long a person needs to correct ten planted faults of all sorts in a minute of video.

    python -m benchmarks.review.ten_faults [report.md]

A script presses the keys and moves the mouse in a real Chromium over the real server, as a person
who knows the page does. The person's time is computed by the keystroke-level model (Card, Moran
and Newell 1980): K 0.28 s a key, P 1.1 s to point, B 0.1 s to press or release the button, H 0.4 s
from the keyboard to the mouse or back, and M 1.35 s to look and to decide, once a fault and once
a dialog. The machine's time is measured: from each input to what it shows.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.report import machine, publish, table
from benchmarks.review.faults import (
    FAULTS,
    HEIGHT,
    KEPT,
    SHOT,
    VEILED,
    WIDTH,
    plant,
    plate_at,
    true_boxes,
    write_minute,
)
from faceveil import read_analysis
from faceveil.corrections.apply import apply_corrections
from faceveil.corrections.document import read_corrections
from faceveil.faces import Floats
from testkit.clips import Clip
from testkit.review_studio import review_studio

SECONDS = {"K": 0.28, "P": 1.1, "B": 0.1, "H": 0.4, "M": 1.35}
ALLOWED = 120
CHROMIUM = Path(os.environ.get("FACEVEIL_CHROMIUM", "/usr/bin/chromium"))
SCREEN = {"width": 1366, "height": 768}
_PATIENCE = 120.0


@dataclass
class Hand:
    """A person's hands at the page: what they do, and how long that and the machine take.

    operators: the letters of the model, in order. waited: seconds.
    """

    page: Page
    operators: str = ""
    waited: float = 0.0
    _on_mouse: bool = field(default=False, init=False)

    @property
    def seconds(self) -> float:
        return sum(SECONDS[letter] for letter in self.operators)

    def think(self) -> None:
        self.operators += "M"

    def press(self, *keys: str) -> None:
        """Press keys; a chord such as Shift+T is two."""
        self._move(to_mouse=False)
        for key in keys:
            self.operators += "K" * len(key.split("+"))
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self._move(to_mouse=False)
        self.operators += "K" * len(text)
        self.page.keyboard.type(text)

    def click(self, x: float, y: float, held: str = "") -> None:
        """Click a pixel of the video, with a key held if one is named."""
        self._move(to_mouse=True)
        self.operators += "K" * bool(held) + "PBB"
        point = self._on_screen(x, y)
        self.page.mouse.move(*point)
        if held:
            self.page.keyboard.down(held)
        self.page.mouse.click(*point)
        if held:
            self.page.keyboard.up(held)

    def click_on(self, name: str, exact: bool = False) -> None:
        """Click a button of the page."""
        self._move(to_mouse=True)
        self.operators += "PBB"
        self.page.get_by_role("button", name=name, exact=exact).first.click()

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self._move(to_mouse=True)
        self.operators += "PBPB"
        self.page.mouse.move(*self._on_screen(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self._on_screen(*end), steps=4)
        self.page.mouse.up()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait for the machine, as a person who must see something does."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > _PATIENCE:
                raise RuntimeError("the page did not show it")
            self.page.wait_for_timeout(20)
        self.waited += time.monotonic() - began

    def _move(self, *, to_mouse: bool) -> None:
        if self._on_mouse != to_mouse:
            self.operators += "H"
            self._on_mouse = to_mouse

    def _on_screen(self, x: float, y: float) -> tuple[float, float]:
        box = self.page.locator("fv-picture canvas").bounding_box()
        scale = min(box["width"] / WIDTH, box["height"] / HEIGHT)
        left = box["x"] + (box["width"] - WIDTH * scale) / 2
        top = box["y"] + (box["height"] - HEIGHT * scale) / 2
        return float(left + x * scale), float(top + y * scale)


@dataclass
class Person:
    """Corrects the faults one after the other, knowing the truth as a person sees it."""

    hand: Hand
    clip: Clip

    def correct(self, number: int) -> None:
        """Look at a shot, decide what is wrong and correct it."""
        self.hand.think()
        ways = (
            self._draw_face,
            self._move_box,
            self._remove_veil,
            self._veil_person,
            self._keep_person,
            self._move_sequence,
            self._join,
            self._end_later,
            self._begin_earlier,
            self._draw_plate,
        )
        ways[number](number)

    def next_shot(self) -> None:
        frame = self._frame()
        self.hand.press("PageDown")
        self._shown(frame // SHOT * SHOT + SHOT)

    def _draw_face(self, shot: int) -> None:
        left, top, right, bottom = self._face(shot, 0)
        self.hand.press("d")
        self._changed(lambda: self.hand.drag((left, top), (right, bottom)))

    def _move_box(self, shot: int) -> None:
        x, y = _middle(self._face(shot, 0))
        self.hand.press("a")
        self._changed(lambda: self.hand.drag((x + 110, y), (x, y)))

    def _remove_veil(self, shot: int) -> None:
        x, y = _middle(self._face(shot, 0))
        self.hand.press("c")
        self.hand.click(x - 120, y, held="Shift")
        self.hand.press("Delete")
        self.hand.think()
        self.hand.wait_for(lambda: self.hand.page.get_by_label("Nothing is there").is_visible())
        self._changed(lambda: self.hand.click_on("Remove veil", exact=True))

    def _veil_person(self, shot: int) -> None:
        self._changed(lambda: self.hand.click(*_middle(self._face(shot, 0))))

    def _keep_person(self, shot: int) -> None:
        self._changed(lambda: self.hand.click(*_middle(self._face(shot, 0, KEPT))))

    def _move_sequence(self, shot: int) -> None:
        """To the person that it is: of the list, the one with the most frames but one."""
        self.hand.click(*_middle(self._face(shot, 0)), held="Shift")
        self.hand.press("m")
        self.hand.think()
        self._changed(lambda: self.hand.click_on(self._name(VEILED), exact=True))

    def _join(self, shot: int) -> None:
        """The person of the face with the one who is already known, from the list of people."""
        identity = self._identity_at(shot, KEPT)
        self.hand.click_on(f"Join Person {identity + 1} with another person")
        self.hand.think()
        self._changed(lambda: self.hand.click_on(self._name(KEPT), exact=True))

    def _end_later(self, shot: int) -> None:
        """Select it, go to its shot's end, let it end there and put the box on the face."""
        self.hand.click(*_middle(self._face(shot, 0)), held="Shift")
        self.hand.press("PageDown", "ArrowLeft")
        self._shown((shot + 1) * SHOT - 1)
        self._changed(lambda: self.hand.press("o"))
        self._drag_held_box(shot, SHOT // 2 - 1, SHOT - 1)

    def _begin_earlier(self, shot: int) -> None:
        """The same at the start: the sequence is met where the face has its box."""
        self.hand.press("g")
        self.hand.type(str(shot * SHOT + SHOT // 2))
        self.hand.press("Enter")
        self._shown(shot * SHOT + SHOT // 2)
        self.hand.press("c")
        self.hand.click(*_middle(self._face(shot, SHOT // 2)), held="Shift")
        self.hand.press("PageUp")
        self._shown(shot * SHOT)
        self._changed(lambda: self.hand.press("i"))
        self._drag_held_box(shot, SHOT // 2, 0)

    def _drag_held_box(self, shot: int, held: int, frame: int) -> None:
        start, end = self._face(shot, held), self._face(shot, frame)
        self.hand.press("a")
        self._changed(lambda: self.hand.drag(_middle(start), _middle(end)))

    def _draw_plate(self, shot: int) -> None:
        left, top, right, bottom = plate_at(shot * SHOT)
        self.hand.press("3")
        self._changed(lambda: self.hand.drag((left - 4, top - 4), (right + 4, bottom + 4)))

    # What the person sees

    def _face(self, shot: int, index: int, name: str = VEILED) -> Floats:
        return true_boxes(self.clip, shot, name)[index]

    def _name(self, person: str) -> str:
        """What the page calls a person: known from a shot without a fault of theirs."""
        return f"Person {self._identity_at(2, person) + 1}"

    def _identity_at(self, shot: int, person: str) -> int:
        x, y = _middle(self._face(shot, 5, person))
        frame = shot * SHOT + 5
        boxes = _api(self.hand.page, f"boxes?first={frame}&last={frame}")
        for (x1, y1, x2, y2), identity in zip(boxes["boxes"], boxes["identities"], strict=True):
            if x1 <= x <= x2 and y1 <= y <= y2:
                return int(identity)
        raise RuntimeError(f"there is no box on {person} in frame {frame}")

    def _frame(self) -> int:
        timeline = self.hand.page.locator("fv-timeline canvas")
        return int(timeline.get_attribute("aria-valuenow"))

    def _shown(self, frame: int) -> None:
        """Wait until a frame and its boxes are on the screen: every shot has some."""
        described = self.hand.page.locator(
            f"fv-picture canvas[aria-label^='Frame {frame},']:not([aria-label$='no boxes'])"
        )
        self.hand.wait_for(lambda: described.count() == 1)

    def _changed(self, act: Callable[[], None]) -> None:
        """Do what corrects, and wait until the page shows that it is corrected."""
        undo = self.hand.page.get_by_role("button", name="Undo")
        before = _api(self.hand.page, "state")["revision"]
        act()
        self.hand.wait_for(lambda: _api(self.hand.page, "state")["revision"] > before)
        self.hand.wait_for(lambda: bool(undo.is_enabled()))


def _middle(box: Floats) -> tuple[float, float]:
    x1, y1, x2, y2 = map(float, box)
    return (x1 + x2) / 2, (y1 + y2) / 2


def _api(page: Page, path: str) -> dict[str, Any]:
    answer: dict[str, Any] = page.evaluate(
        "path => fetch('/api/v1/' + path).then(answer => answer.json())", path
    )
    return answer


@dataclass(frozen=True)
class Corrected:
    """A fault and what correcting it took; is_mended tells whether the analysis then is right."""

    fault: str
    operators: str
    person: float
    machine: float
    is_mended: bool


def corrected_by_hand(folder: Path, shots: bool = False) -> tuple[list[Corrected], float]:
    """Correct all faults; also seconds until all that was drawn was followed.

    shots: whether to leave a screenshot of each shot in the folder.
    """
    video = folder / "minute.mp4"
    clip = write_minute(video)
    analysis = plant(clip, video)
    work = []
    with review_studio(video, analysis) as url, _chromium(url) as page:
        person = Person(Hand(page), clip)
        person._shown(0)
        for number, fault in enumerate(FAULTS):
            hand = person.hand
            hand.operators, hand.waited = "", 0.0
            if number:
                person.next_shot()
            person.correct(number)
            work.append((fault, hand.operators, hand.seconds, hand.waited))
            if shots:
                page.screenshot(path=folder / f"{number}.png")
        began = time.monotonic()
        person.hand.wait_for(
            lambda: all(task["state"] != "running" for task in _api(page, "state")["tasks"])
        )
        left = time.monotonic() - began
    after = apply_corrections(
        read_analysis(video.with_suffix(".analysis.json")),
        read_corrections(video.with_suffix(".corrections.json")),
    ).analysis
    found = [
        Corrected(fault.name, operators, person_, machine_, fault.is_mended(clip, after))
        for fault, operators, person_, machine_ in work
    ]
    return found, left


@contextmanager
def _chromium(url: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page(viewport=SCREEN)
        page.goto(url)
        page.wait_for_selector("fv-people .person")
        yield page
        browser.close()


def report() -> str:
    with tempfile.TemporaryDirectory() as folder:
        found, left = corrected_by_hand(Path(folder))
    person, waited = sum(item.person for item in found), sum(item.machine for item in found)
    mended = sum(item.is_mended for item in found)
    return "\n".join(
        [
            "# Ten faults, corrected by hand",
            "",
            "    python -m benchmarks ten_faults",
            "",
            machine(),
            f"Other work ran on the machine: its load was {os.getloadavg()[1]:.1f} over the last "
            "five minutes.",
            "",
            "A minute of video (640x360, 25 frames/s, ten shots), one fault a shot. The person's "
            "time is that of the keystroke-level model: "
            + ", ".join(f"{letter} {seconds:g} s" for letter, seconds in SECONDS.items())
            + ". The machine's is what this person waited for it. Watching the video is not in it.",
            "",
            *table(
                ("fault", "operators", "person", "machine", "right afterwards"),
                [
                    (
                        item.fault,
                        item.operators,
                        f"{item.person:.1f} s",
                        f"{item.machine:.1f} s",
                        "yes" if item.is_mended else "**no**",
                    )
                    for item in found
                ],
            ),
            "",
            f"**{person + waited:.0f} s in all** (asked: under {ALLOWED} s): {person:.0f} s of the "
            f"person, {waited:.0f} s of waiting. {mended} of {len(found)} faults are right "
            "afterwards: the face is under a box (overlap of 0.5) in at least 99 % of its frames, "
            "and who is kept can be seen. What was drawn went on being followed while the person "
            f"went on, and {left:.1f} s after the last fault.",
            "",
        ]
    )


if __name__ == "__main__":
    publish(report, needs_data=False)
