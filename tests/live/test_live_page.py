"""The page of a live run: what its viewers get, a click that keeps a person, and who may ask."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import av
import numpy as np
import pytest

from faceveil.errors import InputError
from faceveil.live.broadcast import Broadcast
from faceveil.live.choices import Choices
from faceveil.live.options import LiveOptions
from faceveil.live.page import STATIC, Page
from faceveil.live.page_sink import PageSink
from faceveil.live.run import LiveRun
from faceveil.live.sinks import Format
from faceveil.media.layout import layout_of
from testkit.live_streams import Script, frames, until
from testkit.made_review import Client
from testkit.marked_faces import COLOURS, RATE, marked_analyzer

VIDEO = "document.querySelector('faceveil-live').shadowRoot.querySelector('video')"


@pytest.fixture
def page():
    """A page without a run."""
    choices = Choices()
    page = Page("talk.mp4", choices)
    yield page, choices, client_of(page)
    page.close()


def client_of(page):
    address, _, token = page.address.partition("/?token=")
    return Client(int(address.rpartition(":")[2]), token)


class Watcher:
    """One viewer, in a loop of its own thread."""

    def __init__(self, broadcast, pieces=None):
        self.received = []
        self.ended = threading.Event()

        async def watch():
            async for piece in broadcast.stream():
                self.received.append(piece)
                if len(self.received) == pieces:
                    break
            self.ended.set()

        self._thread = threading.Thread(target=lambda: asyncio.run(watch()), daemon=True)
        self._thread.start()


def encoded(count):
    """A page's sink after some pictures, and what it broadcasts."""
    broadcast = Broadcast()
    sink = PageSink(broadcast)
    for index, item in enumerate(frames(0, count, 0.0)):
        if index == 0:
            sink.open(Format(layout_of(item.frame), RATE, False))
        sink.picture(item.frame, 100 + index / RATE)
    return sink, broadcast


def test_a_viewer_who_comes_late_begins_at_the_last_key_frame_and_can_decode_from_there():
    sink, broadcast = encoded(RATE + 10)
    watcher = Watcher(broadcast)
    until(lambda: watcher.received, "the first piece")
    sink.close()
    until(watcher.ended.is_set, "the end")
    with av.open(BytesIO(b"".join(watcher.received))) as video:
        times = [frame.time for frame in video.decode(video=0)]
    assert times[0] == pytest.approx(1.0, abs=0.01)
    assert len(times) == 10


def test_a_viewer_who_falls_behind_is_disconnected_and_holds_up_nobody():
    broadcast = Broadcast()
    broadcast.start(b"header")
    broadcast.send(b"key", True)

    async def slow():
        stream = broadcast.stream()
        first = await anext(stream)
        for number in range(1000):
            broadcast.send(b"%d" % number, False)
        await asyncio.sleep(0.1)
        rest = [piece async for piece in stream]
        return first, rest

    # In a thread of its own: the browser of other tests runs a loop in this one.
    with ThreadPoolExecutor() as pool:
        first, rest = pool.submit(asyncio.run, slow()).result()
    assert first == b"headerkey"
    assert rest == []
    assert broadcast.viewers == 0


def test_only_people_who_are_remembered_can_be_chosen():
    choices = Choices()
    with pytest.raises(InputError, match="person 1"):
        choices.choose(1, "keep")
    choices.of([1, 2])
    choices.choose(1, "keep")
    choices.choose(2, "veil")
    assert (choices.chosen().kept, choices.chosen().veiled) == ({1}, {2})
    choices.choose(2, None)
    assert choices.of([2]).kept == frozenset()  # the first was forgotten
    assert choices.of([1, 2]).kept == frozenset()  # and stays veiled when she comes back


@pytest.mark.parametrize("path", ["/", "/api/v1/state", "/api/v1/stream", "/api/v1/events"])
def test_without_the_token_nothing_is_answered(page, path):
    client = page[2]
    assert client.ask("GET", path, headers={"Cookie": None})[0] == 403
    assert client.ask("GET", path, headers={"Host": "evil.test"})[0] == 403


def test_another_site_cannot_keep_a_person(page):
    _, choices, client = page
    choices.of([1])
    body = b'{"choice": "keep"}'
    for origin in (None, "null", "http://evil.test"):
        assert client.ask("PUT", "/api/v1/people/1", body, {"Origin": origin})[0] == 403
    assert choices.chosen().kept == frozenset()
    assert client.ask("PUT", "/api/v1/people/1", body)[0] == 200
    assert choices.chosen().kept == {1}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("people/1", b"{", 400),
        ("people/1", b"[]", 422),
        ("people/1", b"{}", 422),
        ("people/1", b'{"choice": []}', 422),
        ("people/1", b'{"choice": "show"}', 422),
        ("people/9", b'{"choice": "keep"}', 404),
        ("people/x", b'{"choice": "keep"}', 404),
        ("people/1", b" " * (1 << 21), 413),
    ],
)
def test_what_makes_no_sense_is_refused(page, path, body, status):
    _, choices, client = page
    choices.of([1])
    assert client.ask("PUT", f"/api/v1/{path}", body)[0] == status
    assert choices.chosen().kept == frozenset()


class Left:
    """The page's sink, and how many pixels of each of the two people left by it."""

    name = "the page"
    reopen = False

    def __init__(self, sink):
        self._sink = sink
        self.bare = [0, 0]
        self.open, self.sound, self.close = sink.open, sink.sound, sink.close

    def picture(self, frame, seconds):
        image = frame.to_ndarray(format="rgb24").astype(np.int16)
        for person in range(2):
            near = np.abs(image - np.array(COLOURS[person])).max(axis=2) < 110
            self.bare[person] += int(near.sum())
        self._sink.picture(frame, seconds)


@pytest.mark.slow
def test_a_click_on_a_face_keeps_its_person_and_no_one_else(open_watched):
    """In a real browser: the veiled stream plays, and whoever is clicked becomes visible."""
    assert (STATIC / "index.html").is_file(), "the page is not built: run make page"
    choices, scenes = Choices(), []
    page = Page("two people", choices)

    def show(scene, *rest):
        scenes.append(scene)
        page.show(scene, *rest)

    left = Left(page.sink)
    source = Script(frames(0, 100_000, 0.0))
    options = LiveOptions(delay=1.0, workers=1)
    run = LiveRun(
        source, left, marked_analyzer, options, choices=choices, tell=page.tell, show=show
    )
    thread = threading.Thread(target=run.run)
    thread.start()
    try:
        shown = open_watched(page.address, "faceveil-live li")
        until(lambda: shown.evaluate(f"{VIDEO}.currentTime") > 0.5, "the video plays")
        assert left.bare == [0, 0]
        person = next(
            person
            for scene in reversed(scenes)
            for person, (x1, *_, y2) in zip(scene.people, scene.boxes.tolist(), strict=True)
            if x1 < 100 and y2 < 125  # who stays, and sways
        )
        buttons = shown.get_by_role("group", name=f"Person {person}", exact=True)
        buttons.get_by_role("button", name="Keep").click()
        until(lambda: left.bare[0] > 0, "the person who was clicked becomes visible")
        shown.locator(".chip.keep").first.wait_for()
        buttons.get_by_role("button", name="Veil").click()
        until(lambda: choices.chosen().veiled == {person}, "the choice")
        count = len(scenes)
        until(lambda: len(scenes) > count + 2 * RATE, "two more seconds")
        bare = left.bare[0]
        until(lambda: len(scenes) > count + 3 * RATE, "one more")
        assert left.bare == [bare, 0]
    finally:
        run.stop()
        thread.join(60)
        page.close()
