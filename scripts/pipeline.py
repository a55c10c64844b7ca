"""One job through the whole event-driven pipeline, on this machine (`make pipeline`).

    job.json in S3 -> submit function -> transform job -> state change -> post-processing function
      -> array job in Batch -> finish -> "FaceVeil Job Completed"

testkit/servers/event_pipeline.py says what of it is real and what is simulated.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw

from testkit import PROJECT
from testkit.clips import make_clip, write_frames
from testkit.portraits import PORTRAITS, portrait_path
from testkit.servers.event_pipeline import Pipeline, PipelineError, build_images, event_pipeline
from testkit.servers.local_cloud import scheduled

JOB = "demo"
FRAMES, OUT = f"frames/{JOB}/", f"jobs/{JOB}/"
KEPT = "obama3"
"""A photo that the clip does not contain: it shows the same person in two others."""
COLUMNS, TILE_WIDTH = 4, 400


def main() -> int:
    options = build_parser().parse_args()
    narrate = Narrator()
    fields: dict[str, Any] = {"sampling": {"mode": "adaptive"}} if options.sampled else {}
    if options.processing:
        fields["processing"] = {"instance_count": options.processing}
    with event_pipeline(narrate, options.containers, options.calls) as pipeline:
        try:
            if options.containers:
                build_images(narrate)
            submit_demo(pipeline, options.frames, fields)
            pipeline.run_until_job_ends()
            pipeline.invoke("sweep", "sweep", scheduled())
        except PipelineError as error:
            narrate(f"failed: {error}")
            return 1
        download(pipeline, options.output)
    return 0


@dataclass
class Narrator:
    """Prints each step with the seconds since the start."""

    began: float = field(default_factory=time.monotonic)

    def __call__(self, line: str) -> None:
        print(f"{time.monotonic() - self.began:6.1f} s  {line}", flush=True)


def submit_demo(pipeline: Pipeline, frame_count: int, fields: dict[str, Any]) -> None:
    """Put frames, a photo and then a job.json with these further fields into S3."""
    frames = pipeline.folder / "frames"
    write_frames(make_clip(480, 270, frame_count), frames)
    paths = sorted(frames.iterdir())
    bucket = pipeline.bucket
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: bucket.write(FRAMES + path.name, path.read_bytes()), paths))
    photo, person = portrait_path(KEPT), PORTRAITS[KEPT].person
    bucket.write(f"{OUT}references/kept/{photo.name}", photo.read_bytes())
    pipeline.narrate(f"{len(paths)} frames and a photo of {person}, who is kept, are in S3")
    pipeline.submit(
        {
            "version": 1,
            "id": JOB,
            "frames": {"prefix": FRAMES, "rate": 25},
            "selection": {"mode": "keep", "references": {person: f"{OUT}references/kept/"}},
            **fields,
        }
    )


def download(pipeline: Pipeline, output: Path) -> None:
    """Fetch the veiled frames, and draw a contact sheet of before and after."""
    bucket, veiled = pipeline.bucket, output / "veiled"
    shutil.rmtree(veiled, ignore_errors=True)
    veiled.mkdir(parents=True)
    place = bucket.folder(f"{OUT}veiled/")
    for page in place.pages():
        for item in page:
            (veiled / item.name).write_bytes(place.read(item.name))
    for name in ("analysis.json", "report.json"):
        (output / name).write_bytes(bucket.read(OUT + name))
    draw_before_after(pipeline.folder / "frames", veiled, output / "contact_sheet.png")
    count = len(list(veiled.iterdir()))
    pipeline.narrate(f"{count} veiled frames are in {veiled}, and {output / 'contact_sheet.png'}")


def draw_before_after(before: Path, after: Path, target: Path) -> None:
    """Draw frames spread over the video, those of the input above those of the output."""
    names = sorted(path.name for path in after.iterdir())
    middles = (np.arange(COLUMNS) + 0.5) * len(names) / COLUMNS
    tiles = []
    for folder in (before, after):
        for middle in middles.astype(int):
            picture = Picture.open(folder / names[middle])
            height = TILE_WIDTH * picture.height // picture.width
            tile = picture.convert("RGB").resize((TILE_WIDTH, height))
            title = f"{'before' if folder == before else 'after'}, {names[middle]}"
            ImageDraw.Draw(tile).text((6, 4), title, fill="white", font_size=13)
            tiles.append(np.asarray(tile))
    rows = [np.hstack(tiles[:COLUMNS]), np.hstack(tiles[COLUMNS:])]
    Picture.fromarray(np.vstack(rows)).save(target)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pipeline.py", description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=60, metavar="N", help="of the clip (60)")
    parser.add_argument(
        "--containers", action="store_true", help="run the images instead of processes (podman)"
    )
    parser.add_argument(
        "--sampled", action="store_true", help="detect in every 6th frame first, then where needed"
    )
    parser.add_argument(
        "--processing",
        type=int,
        metavar="HOSTS",
        help="in Processing jobs on so many hosts, instead of a transform job and Batch",
    )
    parser.add_argument("--output", type=Path, default=PROJECT / "demo" / "pipeline")
    parser.add_argument(
        "--calls",
        type=Path,
        metavar="FILE",
        help="append each call of boto3 to this file, a line each",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
