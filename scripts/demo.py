"""Make a clip, veil everyone in it but one person, and show the result (`make demo`).

All files are written to demo/. The clip's truth is known: the result is measured in its pixels.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw

from faceveil.faces import Image
from testkit import PROJECT
from testkit.clips import make_clip, write_video
from testkit.portraits import PORTRAITS, portrait_path
from testkit.truth import ENCODED, Truth, coverage_of_pixels, evaluate

KEPT = "obama3"
"""A photo that the clip does not contain: it shows the same person in two others."""
TILE_WIDTH, GAP, HEADING = 480, 6, 22


def main() -> int:
    folder = PROJECT / "demo"
    folder.mkdir(exist_ok=True)
    clip_path, veiled_path = folder / "clip.mp4", folder / "veiled.mp4"
    person = PORTRAITS[KEPT].person
    photo = folder / f"{person.lower().replace(' ', '-')}.jpg"

    print("Making a clip from public-domain portraits …", flush=True)
    shutil.copyfile(portrait_path(KEPT), photo)
    clip = make_clip()
    write_video(clip, clip_path)

    command = ["veil", clip_path, veiled_path, "--keep", photo]
    command += ["--contact-sheet", folder / "contact_sheet.png", "--overwrite"]
    command += ["--analysis", folder / "analysis.json"]
    words = [str(word.relative_to(PROJECT)) if isinstance(word, Path) else word for word in command]
    print(f"\n$ faceveil {' '.join(words)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "faceveil", *words], cwd=PROJECT, check=False)
    if done.returncode:
        return done.returncode

    draw_before_after(clip_path, veiled_path, clip.truth, folder / "before_after.png")
    report(clip_path, veiled_path, clip.truth, person)
    return 0


def report(before: Path, after: Path, truth: Truth, person: str) -> None:
    """Print how well the output agrees with the truth, measured in its pixels."""
    coverage = coverage_of_pixels(truth, frames_of(before), frames_of(after), ENCODED)
    result = evaluate(truth, coverage, keep=[person])
    veiled = result.faces - len(result.missed)
    print(f"""
The clip shows {len(truth.people)} people in {len(truth.shot_starts)} shots; \
{person} is kept, by a photo that is not in it.
  faces veiled that must be      {veiled} of {result.faces} ({result.recall:.2%})
  of these, not veiled at all    {len(result.untouched)}
  kept person veiled by mistake  {len(result.kept_veiled)} of {result.kept_faces} frames

Look at  demo/before_after.png  demo/contact_sheet.png  demo/veiled.mp4
Correct  {reviewing()}""")


def reviewing() -> str:
    """The command that reviews the result."""
    command = Path(sys.executable).with_name("faceveil")
    shown = command.relative_to(PROJECT) if command.is_relative_to(PROJECT) else "faceveil"
    return f"{shown} review demo/clip.mp4 --analysis demo/analysis.json"


def frames_of(path: Path) -> Iterator[Image]:
    """The frames of a video, RGB uint8 [H, W, 3]."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def draw_before_after(before: Path, after: Path, truth: Truth, target: Path) -> None:
    """Draw a column for each shot: a frame of the input above the same frame of the output."""
    ends = np.append(truth.shot_starts[1:], truth.frame_count)
    # A third into each shot: in the first, before one person hides the other.
    chosen = (truth.shot_starts + (ends - truth.shot_starts) // 3).tolist()
    height = TILE_WIDTH * truth.height // truth.width
    size = (GAP + (TILE_WIDTH + GAP) * len(chosen), 2 * (HEADING + height) + GAP)
    sheet = Picture.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for row, (title, path) in enumerate((("before", before), ("after", after))):
        top = row * (HEADING + height)
        pictures = [frame for number, frame in enumerate(frames_of(path)) if number in chosen]
        for column, (number, picture) in enumerate(zip(chosen, pictures, strict=True)):
            left = GAP + column * (TILE_WIDTH + GAP)
            draw.text((left, top + 4), f"{title}, frame {number}", fill="black", font_size=13)
            tile = Picture.fromarray(picture).resize((TILE_WIDTH, height))
            sheet.paste(tile, (left, top + HEADING))
    sheet.save(target)


if __name__ == "__main__":
    sys.exit(main())
