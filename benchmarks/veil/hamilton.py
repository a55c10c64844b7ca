"""Keep one person by photo in a real clip with cuts: what was decided, and what a viewer sees.

    python -m benchmarks.veil.hamilton [report.md]

Runs `faceveil veil` on ../shared/data/hamilton with the photo of Lin-Manuel Miranda, checks
frames, times and sound exactly, and lists every identity. Pictures of frames before and after go
to the user's cache folder, never into the project: look at them. What was seen is written into
the report by hand, under its last heading, which a new run leaves as it is.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw

from benchmarks.environments import cache
from benchmarks.report import machine, publish, table
from faceveil.analysis import Analysis, read_analysis
from testkit import SHARED_DATA

CLIP = SHARED_DATA / "hamilton" / "short_hamilton_clip.mp4"
PHOTO = SHARED_DATA / "hamilton" / "lin-manuel-miranda.png"
EVERY = 8
COLUMNS, ROWS = 3, 2
TILE_WIDTH, TILE_HEIGHT = 560, 315
SEEN = "## What was seen"
"""From here on the report is written by hand."""


def veil(folder: Path) -> Analysis:
    """Run the command, as a user would."""
    command = [sys.executable, "-m", "faceveil", "veil", CLIP, folder / "veiled.mp4"]
    command += ["--keep", PHOTO, "--analysis", folder / "analysis.json"]
    command += ["--contact-sheet", folder / "contact_sheet.png"]
    subprocess.run([str(word) for word in command], check=True)
    return read_analysis(folder / "analysis.json")


def times(path: Path) -> list[Fraction]:
    """When each frame is shown, in seconds, exactly."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def sound(path: Path) -> list[tuple[Fraction, Fraction, bytes]]:
    """Presentation time, decoding time and bytes of each audio packet."""
    with av.open(str(path)) as container:
        return [
            (packet.pts * packet.time_base, packet.dts * packet.time_base, bytes(packet))
            for packet in container.demux(audio=0)
            if packet.size
        ]


def checks(veiled: Path) -> list[str]:
    """What must be as in the input, and whether it is."""
    before, after = times(CLIP), times(veiled)
    heard, hearing = sound(CLIP), sound(veiled)
    apart = [abs(float(a - b)) for a, b in zip(before, after, strict=False)]
    rows = [
        ("frames", len(before), len(after), answer(len(before) == len(after))),
        (
            "time of every frame",
            f"{float(before[0]):.4f} to {float(before[-1]):.4f} s",
            f"at most {max(apart):.6f} s apart",
            answer(before == after),
        ),
        ("audio packets", len(heard), len(hearing), answer(len(heard) == len(hearing))),
        (
            "their bytes",
            total(heard),
            total(hearing),
            answer([packet[2] for packet in heard] == [packet[2] for packet in hearing]),
        ),
        (
            "their times",
            f"{float(heard[0][0]):.4f} to {float(heard[-1][0]):.4f} s",
            f"{float(hearing[0][0]):.4f} to {float(hearing[-1][0]):.4f} s",
            answer([packet[:2] for packet in heard] == [packet[:2] for packet in hearing]),
        ),
    ]
    return table(("", "input", "output", "the same"), rows)


def total(packets: list[tuple[Fraction, Fraction, bytes]]) -> int:
    return sum(len(packet[2]) for packet in packets)


def answer(same: bool) -> str:
    return "yes" if same else "NO"


def identity_table(analysis: Analysis) -> list[str]:
    """One line per sequence, in order of identity and time."""
    columns = (
        "identity", "shot", "frames", "box in the middle", "decision", "similarity", "reason"
    )  # fmt: skip
    rows = []
    order = sorted(
        range(len(analysis.sequences)),
        key=lambda row: (int(analysis.identities[row]), analysis.sequences[row].first),
    )
    for row in order:
        sequence, decision = analysis.sequences[row], analysis.decisions[row]
        x1, y1, x2, y2 = np.rint(sequence.boxes[len(sequence) // 2]).astype(int).tolist()
        fate = "veiled" if decision.veil else "**kept**"
        similarity = "" if decision.similarity is None else f"{decision.similarity:.2f}"
        rows.append(
            (
                analysis.identities[row],
                sequence.shot,
                f"{sequence.first}-{sequence.last}",
                f"{x2 - x1}x{y2 - y1} at {x1},{y1}",
                f"{fate}{', uncertain' * decision.uncertain}",
                similarity,
                decision.reason,
            )
        )
    return table(columns, rows)


def draw_pages(veiled: Path, folder: Path) -> int:
    """Pictures of every 8th frame, before above after; returns how many there are."""
    for old in folder.glob("page*.png"):
        old.unlink()
    pairs = list(zip(tiles(CLIP), tiles(veiled), strict=True))
    per_page = COLUMNS * ROWS
    for page, first in enumerate(range(0, len(pairs), per_page)):
        sheet = Picture.new("RGB", (COLUMNS * TILE_WIDTH, ROWS * 2 * TILE_HEIGHT))
        for place, (before, after) in enumerate(pairs[first : first + per_page]):
            left = place % COLUMNS * TILE_WIDTH
            top = place // COLUMNS * 2 * TILE_HEIGHT
            sheet.paste(before, (left, top))
            sheet.paste(after, (left, top + TILE_HEIGHT))
            label = f"{EVERY * (first + place)}"
            ImageDraw.Draw(sheet).text((left + 4, top + 2), label, fill="yellow", font_size=18)
        sheet.save(folder / f"page{page:02d}.png")
    return -(-len(pairs) // per_page)


def tiles(path: Path) -> Iterator[Picture.Image]:
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % EVERY == 0:
                yield frame.to_image().resize((TILE_WIDTH, TILE_HEIGHT))


def seen() -> str:
    """What was written by hand into the report that is to be replaced."""
    old = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    text = old.read_text(encoding="utf-8") if old and old.exists() else ""
    return SEEN + text.partition(SEEN)[2] if SEEN in text else f"{SEEN}\n\nNot looked at yet.\n"


def report() -> str:
    folder = cache("hamilton")
    analysis = veil(folder)
    pages = draw_pages(folder / "veiled.mp4", folder)
    print(f"{pages} pictures and the contact sheet to look at: {folder}", file=sys.stderr)
    people = len(np.unique(analysis.identities))
    shots = ", ".join(str(start) for start in analysis.shot_starts[1:].tolist())
    lines = [
        "# One person kept in a real clip",
        "",
        "`python -m benchmarks.veil.hamilton`: `faceveil veil short_hamilton_clip.mp4 veiled.mp4 "
        "--keep lin-manuel-miranda.png`.",
        "",
        machine(),
        "",
        *checks(folder / "veiled.mp4"),
        "",
        f"Shot transitions found at frames {shots} (by eye: 20, 82, 211). "
        f"{people} identities in {len(analysis.sequences)} sequences:",
        "",
        *identity_table(analysis),
        "",
        seen(),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    publish(report)
