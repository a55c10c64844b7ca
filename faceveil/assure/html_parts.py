"""The parts that report.html is made of: its style, tables and timeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from html import escape
from typing import Any

Report = Mapping[str, Any]

_WIDTH, _LEFT, _ROW = 1000, 150, 20
_MOST_PEOPLE = 40
_VEILED, _KEPT, _FOUND, _UNKNOWN = "#3d4654", "#2c68d6", "#c62828", "#b26a00"

STYLE = """\
:root{color-scheme:light}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
color:#1b1f24;background:#fff;margin:0 auto;padding:2.5rem 1.5rem;max-width:62rem}
h1{font-size:1.7rem;margin:0 0 .2rem}
h2{font-size:1.2rem;margin:2.2rem 0 .6rem;padding-bottom:.25rem;border-bottom:2px solid #1b1f24}
.lead{color:#4a5260;margin:0 0 1.4rem}
.verdict{border-left:6px solid;padding:.7rem 1rem;margin:1rem 0;font-weight:600}
.good{border-color:#2e7d32;background:#eef6ee}.bad{border-color:#c62828;background:#fdeeee}
.open{border-color:#b26a00;background:#fdf5e8}
.verdict p{font-weight:400;margin:.2rem 0 0}
table{border-collapse:collapse;width:100%;margin:.4rem 0 1rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .9rem .3rem 0;
border-bottom:1px solid #d8dce2}
thead th{border-bottom:1px solid #1b1f24;font-size:.85rem}
tbody th{font-weight:600;width:13rem}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
code{font:.82rem ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
img{width:64px;height:64px;margin:0 4px 4px 0;border-radius:4px;vertical-align:top}
svg{width:100%;height:auto;display:block}
.note{color:#4a5260;font-size:.9rem}
.key{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 1em}
@media print{
body{font-size:10pt;padding:0;max-width:none}
h2,h3{break-after:avoid}
tr,svg,.verdict{break-inside:avoid}
thead{display:table-header-group}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
}
@page{margin:18mm 16mm}"""


def box(kind: str, title: str, text: str) -> str:
    return f'<div class="verdict {kind}">{escape(title)}<p>{escape(text)}</p></div>'


def timeline(report: Report) -> str:
    """Who is seen when, in an SVG: kept blue, veiled dark; findings in red above all."""
    count = max(report["input"]["frame_count"], 1)
    people = sorted(report["identities"], key=lambda item: -item["frames"])[:_MOST_PEOPLE]
    scale = (_WIDTH - _LEFT) / count
    found = report["verification"] or {"violations": [], "doubtful": []}
    marks = [
        (_FOUND, "shows what must be veiled", [item["frame"] for item in found["violations"]]),
        (_UNKNOWN, "to be looked at", [item["frame"] for item in found["doubtful"]]),
        (_UNKNOWN, "could not be analysed", report["unknown_frames"]),
    ]
    marks = [mark for mark in marks if mark[2]]
    height = _ROW * (len(people) + len(marks)) + 24
    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Timeline">']
    top = 0
    for item in people:
        name = item["person"] if item["person"] and not item["veiled_sequences"] else None
        parts.append(_label(name or named(item), top))
        for first, last, veiled in item["spans"]:
            colour = _VEILED if veiled else _KEPT
            parts.append(_bar(first, last, top, colour, scale))
        top += _ROW
    for colour, name, frames in marks:
        parts.append(_label(name, top))
        parts += [_bar(frame, frame, top, colour, scale) for frame in sorted(set(frames))]
        top += _ROW
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, anchor = _LEFT + share * (_WIDTH - _LEFT), ("start", "middle", "end")
        frame = round(share * (count - 1))
        parts.append(
            f'<path d="M{x:.1f} 0V{top + 4}" stroke="#8a93a0" stroke-width=".5"/>'
            f'<text x="{x:.1f}" y="{top + 18}" font-size="11" fill="#1b1f24" '
            f'text-anchor="{anchor[0 if share == 0 else 2 if share == 1 else 1]}">'
            f"{at(frame, report)}</text>"
        )
    key = (
        f'<span class="key" style="background:{_VEILED}"></span>veiled'
        f'<span class="key" style="background:{_KEPT}"></span>visible'
    )
    more = len(report["identities"]) - len(people)
    left = f" The {more} people seen for the shortest time are left out." if more > 0 else ""
    return f'<p class="note">{key}.{left}</p>{"".join(parts)}</svg>'


def _label(text: str, top: int) -> str:
    short = text if len(text) <= 22 else f"{text[:21]}…"
    return f'<text x="0" y="{top + 14}" font-size="12" fill="#1b1f24">{escape(short)}</text>'


def _bar(first: int, last: int, top: int, colour: str, scale: float) -> str:
    return (
        f'<rect x="{_LEFT + first * scale:.2f}" y="{top + 4}" height="{_ROW - 8}" '
        f'width="{max((last + 1 - first) * scale, 1):.2f}" fill="{colour}"/>'
    )


def named(item: Mapping[str, Any]) -> str:
    """What an identity is called where its name is not known, or not to be read."""
    return f"{item.get('kind', 'person')} {item['identity']}"


def when(moment: str) -> str:
    """An ISO 8601 time as people read it."""
    return f"{datetime.fromisoformat(moment):%d %B %Y, %H:%M} UTC"


def at(frame: int, report: Report) -> str:
    """A frame as time, or as the number of the picture where there is no rate."""
    rate = report["input"]["rate"]
    return clock(frame, Fraction(rate)) if rate else f"{frame:,}"


def clock(frames: int, rate: Fraction) -> str:
    seconds = Fraction(frames) / rate
    minutes, rest = divmod(float(seconds), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:05.2f}"


def frames(count: int, report: Report) -> str:
    rate = report["input"]["rate"]
    return f"{count:,} ({float(count / Fraction(rate)):.1f} s)" if rate and count else f"{count:,}"


def place(box: Sequence[float]) -> str:
    x1, y1, x2, y2 = box
    return f"({x1:.0f}, {y1:.0f}) to ({x2:.0f}, {y2:.0f})"


def code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    body = "".join(f"<tr><th>{name}</th><td>{text}</td></tr>" for name, text in rows)
    return f"<table><tbody>{body}</tbody></table>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of HTML cells; a cell or head that begins with # is a number."""

    def cell(tag: str, text: str) -> str:
        kind = ' class="n"' if text.startswith("#") else ""
        return f"<{tag}{kind}>{text.removeprefix('#')}</{tag}>"

    lines = ["".join(cell("td", text) for text in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    titles = "".join(cell("th", text) for text in head)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
