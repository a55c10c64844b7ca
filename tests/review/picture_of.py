"""Where things lie on the screen of the review page."""


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
    for _ in range(int(timeout / 0.05)):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not happen in time")
