"""Drives the review page as a person would, and reads what its server holds."""

import time


def at(page, x, y, width=1280, height=720):
    """The point of the screen at which a pixel of the video is shown, while it is not zoomed."""
    box = page.locator("fv-picture canvas").bounding_box()
    scale = min(box["width"] / width, box["height"] / height)
    left = box["x"] + (box["width"] - width * scale) / 2
    top = box["y"] + (box["height"] - height * scale) / 2
    return left + x * scale, top + y * scale


def drag(page, start, end, **size):
    """Press at one pixel of the video, release at another."""
    page.mouse.move(*at(page, *start, **size))
    page.mouse.down()
    page.mouse.move(*at(page, *end, **size), steps=4)
    page.mouse.up()


def wait_until(page, condition, timeout=10.0):
    """Wait for what the server or a file shows, while the page goes on."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        page.wait_for_timeout(50)


def shown_frame(page):
    return int(page.locator("fv-timeline canvas").get_attribute("aria-valuenow"))


def go_to(page, frame):
    """Go to a frame by keys, and wait for its picture and boxes."""
    page.keyboard.press("g")
    page.get_by_label("Frame number or time").fill(str(frame))
    page.keyboard.press("Enter")
    wait_until(page, lambda: shown_frame(page) == frame)
    page.wait_for_timeout(300)


def api(page, path):
    """What the server answers to the page."""
    return page.evaluate("path => fetch('/api/v1/' + path).then(answer => answer.json())", path)


def corrected(page, act, timeout=60):
    """Do something that corrects, and wait until nothing is being followed any more."""
    before = api(page, "state")["revision"]
    act()
    wait_until(page, lambda: api(page, "state")["revision"] > before, timeout)
    settle(page, timeout)


def settle(page, timeout=120):
    """Wait until nothing is being followed, rendered or verified."""
    wait_until(
        page,
        lambda: all(task["state"] != "running" for task in api(page, "state")["tasks"]),
        timeout,
    )
    page.wait_for_timeout(200)
