"""report.html: the document that goes with a veiled video, for people who answer for it.

One page that asks for nothing elsewhere and runs no script. It embeds the data of report.json, byte
for byte what a signature signs, and shows pictures only of people who are kept.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

import orjson

from faceveil.assure.html_parts import (
    STYLE,
    at,
    box,
    clock,
    code,
    frames,
    named,
    pairs,
    place,
    table,
    timeline,
    when,
)
from faceveil.assure.kept_pictures import KeptPicture
from faceveil.assure.signature import canonical, fingerprint
from faceveil.errors import InputError
from faceveil.files import replace_file

Report = Mapping[str, Any]

MOST_ROWS = 200
"""People, and findings, that are listed; the data holds all."""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_DATA = re.compile(rb'<script type="application/json" id="report">(.*?)</script>', re.DOTALL)
_PICTURE = re.compile(rb'<img src="data:image/jpeg;base64,([A-Za-z0-9+/=]+)"')


def write_html_report(report: Report, pictures: Sequence[KeptPicture], path: Path) -> None:
    """Write the page.

    Parameters
    ----------
    report : mapping
        What `build_report` returned, signed or not; its "pictures" name the digests of `pictures`.
    pictures : sequence of KeptPicture
        Of people who are kept.
    path : Path

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    replace_file(path, render_html(report, pictures).encode())


def read_report(path: Path) -> dict[str, Any]:
    """Read the data of a report.json or report.html.

    Raises
    ------
    InputError
        When the file cannot be read, is no report, or is a page whose pictures are not those that
        its data names.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    is_page = content.lstrip()[:1] == b"<"
    embedded = _DATA.search(content) if is_page else None
    try:
        report = orjson.loads(embedded.group(1) if embedded else content)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path}: holds no report of faceveil ({error})") from error
    if not isinstance(report, dict) or report.get("format") != "faceveil-report":
        raise InputError(f"{path}: holds no report of faceveil")
    if is_page:
        _check_pictures(path, content, report)
    return report


def _check_pictures(path: Path, content: bytes, report: Report) -> None:
    shown = [
        f"sha256:{sha256(base64.b64decode(found)).hexdigest()}"
        for found in _PICTURE.findall(content)
    ]
    if shown != [item["digest"] for item in report.get("pictures", [])]:
        raise InputError(f"{path}: its pictures are not those that the report names")


def render_html(report: Report, pictures: Sequence[KeptPicture] = ()) -> str:
    """Return the page as text; see `write_html_report`."""
    report = {**orjson.loads(canonical(report)), **_signed(report)}
    title = f"Veiling report: {report['output']['name']}"
    sections = [
        ("", _verdict(report)),
        ("Files", _files(report)),
        ("People", _people(report, pictures)),
        ("Timeline", timeline(report)),
        ("Checks", _checks(report)),
        ("Corrections by people", _corrections(report)),
        ("What the output does not keep", _losses(report)),
        ("How it was made", _settings(report)),
        ("Signature", _signature(report)),
    ]
    # In a page "</" would end the data early; in JSON both spellings are the same text.
    data = orjson.dumps(report).decode().replace("<", "\\u003c")
    made = f", {when(report['made'])}" if report.get("made") else ""
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            f'<p class="lead">By faceveil {escape(report["faceveil"])}{escape(made)}.</p>',
            *(
                f"{f'<h2>{name}</h2>' if name else ''}{content}"
                for name, content in sections
                if content
            ),
            f'<script type="application/json" id="report">{data}</script>',
            "</body></html>\n",
        ]
    )


def _signed(report: Report) -> dict[str, Any]:
    return {"signature": report["signature"]} if report.get("signature") else {}


def _verdict(report: Report) -> str:
    """The result in one box: was the output verified, and does it show what must be veiled?"""
    found = report["verification"]
    breaches = report["coverage"]["breaches"]
    checked = f"{report['coverage']['checked']:,} detected faces were checked to lie under veils"
    if breaches:
        return box("bad", f"{breaches} detected faces lie under no veil", checked + ".")
    if found is None:
        text = f"{checked} before rendering. The finished output was not looked at."
        return box("open", "Not verified", text)
    looked = (
        f"{checked}; {found['veils']:,} veils were compared with the input; the networks looked at "
        f"{found['looked_at']:,} of {found['frames']:,} frames of the output."
    )
    failed = len({item["frame"] for item in found["violations"]})
    if failed:
        return box("bad", f"{failed} frames show what must be veiled", looked)
    if found["doubtful"]:
        count = len(found["doubtful"])
        return box("good", f"Verified: nothing shows; {count} places to look at", looked)
    return box("good", "Verified: nothing shows", looked)


def _files(report: Report) -> str:
    source, output = report["input"], report["output"]
    unit = "pictures" if source["kind"] == "stills" else "frames"
    size = f"{source['width']} x {source['height']} pixels, {source['frame_count']:,} {unit}"
    if source["rate"]:
        rate = Fraction(source["rate"])
        size += f", {float(rate):.6g} a second, {clock(source['frame_count'], rate)}"
    rows = [
        ("Input", escape(source["name"])),
        ("Size of the input", escape(size)),
        ("Digest of the input", code(source["digest"])),
        ("Output", escape(output["name"])),
        ("Digest of the output", code(output["digest"])),
    ]
    corrections = report.get("corrections") or {}
    if corrections.get("digest"):
        rows.append(("Digest of the corrections", code(corrections["digest"])))
    if report.get("reviewer"):
        rows.append(("Answered for by", escape(report["reviewer"])))
    return pairs(rows)


def _people(report: Report, pictures: Sequence[KeptPicture]) -> str:
    people = report["identities"]
    kept = [item for item in people if item["veiled_sequences"] < item["sequences"]]
    chosen = {
        "all": "Everyone is veiled.",
        "none": "Everyone stays visible.",
        "keep": "Everyone is veiled but the people who were chosen to stay visible.",
        "only": "Only the people who were chosen are veiled.",
    }
    mode = (report.get("selection") or {}).get("mode", "all")
    parts = [
        f"<p>{chosen[mode]} Found: {len(people)}; visible at least for a time: {len(kept)}. "
        "A person who was seen in several places may be counted more than once.</p>"
    ]
    if kept:
        shown = {item["identity"] for item in kept}
        faces = [picture for picture in pictures if picture.identity in shown]
        rows = [_kept_row(item, faces, report) for item in kept[:MOST_ROWS]]
        parts.append(f"<h3>Kept</h3>{table(('', 'Person', 'Why', 'Seen', ''), rows)}")
    veiled = [item for item in people if item["veiled_sequences"]]
    if veiled:
        head = ("Person", "Seen", "#Frames", "#Detections covered", "#Longest without detection")
        rows = [
            (
                named(item),
                _seen(item, report),
                f"#{item['frames']:,}",
                f"#{item['detections']:,}",
                f"#{frames(item['longest_undetected'], report)}",
            )
            for item in veiled[:MOST_ROWS]
        ]
        parts.append(f"<h3>Veiled</h3>{table(head, rows)}")
        parts.append(
            '<p class="note">Where a face was not detected, its veil follows its pixels or is '
            "computed from the detections before and after.</p>"
        )
    left = len(veiled) - MOST_ROWS
    if left > 0:
        parts.append(f'<p class="note">And {left} more, which are in the data of this page.</p>')
    return "".join(parts)


def _kept_row(
    item: Mapping[str, Any], pictures: Sequence[KeptPicture], report: Report
) -> tuple[str, ...]:
    faces = "".join(
        f'<img src="data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode()}" '
        f'alt="frame {picture.frame}">'
        for picture in pictures
        if picture.identity == item["identity"]
    )
    name = escape(item["person"] or named(item))
    partly = "" if not item["veiled_sequences"] else "veiled at other times"
    return faces, name, escape(item["reason"]), _seen(item, report), partly


def _seen(item: Mapping[str, Any], report: Report) -> str:
    return f"{at(item['first_frame'], report)} to {at(item['last_frame'], report)}"


def _checks(report: Report) -> str:
    coverage, found = report["coverage"], report["verification"]
    rows = [
        (
            "Coverage",
            f"{coverage['checked']:,} detections were to be veiled; {coverage['breaches']} of them "
            "lie outside every veil. Checked before rendering.",
        ),
        (
            "Verification of the output",
            "Switched off, or no one is veiled."
            if found is None
            else f"{found['veils']:,} veils compared with the input by pixels, "
            f"{found['looked_at']:,} of {found['frames']:,} frames searched for faces"
            + (", veiled people recognised where they can be." if found["recognised"] else "."),
        ),
        (
            "Frames without detections",
            f"{len(report['unknown_frames']):,}. Such a frame is covered by the veils around it or "
            "veiled whole.",
        ),
        ("Uncertain people", f"{len(report['uncertain']):,} sequences."),
        (
            "Doubtful faces",
            f"{len(report['doubtful']):,} sequences that are probably not faces. They are veiled "
            "all the same where they were seen.",
        ),
    ]
    parts = [pairs([(name, escape(text)) for name, text in rows])]
    if found and (found["violations"] or found["doubtful"]):
        lines = [
            (at(item["frame"], report), place(item["box"]), _FINDINGS[item["kind"]])
            for item in found["violations"]
        ]
        lines += [
            (at(item["frame"], report), place(item["box"]), "may be a face; fails nothing")
            for item in found["doubtful"]
        ]
        parts.append(table(("When", "Where", "What"), lines[:MOST_ROWS]))
        if len(lines) > MOST_ROWS:
            parts.append(f'<p class="note">And {len(lines) - MOST_ROWS} more.</p>')
    return "".join(parts)


_FINDINGS = {
    "uncovered": "a face under no veil",
    "recognised": "a veiled person is recognised",
    "unveiled": "a veil is missing",
}


def _corrections(report: Report) -> str:
    entries = (report.get("corrections") or {}).get("entries", [])
    if not entries:
        return "<p>None: the decisions are those of the program.</p>"
    rows = [
        (
            escape(str(entry.get("at", ""))),
            escape(str(entry.get("by") or "")),
            escape(str(entry.get("op", ""))),
            escape(_what(entry, report)),
            escape(str(entry.get("why") or "")),
        )
        for entry in entries
    ]
    unresolved = (report.get("corrections") or {}).get("unresolved", [])
    missing = "".join(f"<p>Could not be applied: {escape(text)}</p>" for text in unresolved)
    return table(("When", "By whom", "What", "Where", "Why"), rows) + missing


def _what(entry: Mapping[str, Any], report: Report) -> str:
    """Which frames a correction is about."""
    first, last = entry.get("first"), entry.get("last")
    if first is not None and last is not None:
        return f"{at(first, report)} to {at(last, report)}"
    frames = sorted(set(_frames_in(entry)))
    return f"at {at(frames[0], report)}" if frames else ""


def _frames_in(value: object) -> Iterable[int]:
    """Every number called "frame" in plain data."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name == "frame" and isinstance(item, int):
                yield item
            else:
                yield from _frames_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _frames_in(item)


def _losses(report: Report) -> str:
    rows = [(escape(item["what"]), escape(item["why"])) for item in report.get("losses", [])] + [
        (escape(f"{item['where']} of the input"), escape(item["message"]))
        for item in report["problems"]
    ]
    return table(("What", "Why"), rows) if rows else ""


def _settings(report: Report) -> str:
    models = report["models"]
    rows = []
    if models:
        rows += [
            ("Detector", escape(models["detector"])),
            ("Recogniser", escape(models["recognizer"])),
            ("Digest of the networks", code(models["digest"])),
        ]
    veil = report["veil"]
    rows += [
        ("Veil", escape(f"{veil['name']}, margin {veil['margin']:g} of the face's size")),
        ("Shots", f"{report['shots']:,}"),
        ("Versions", escape(", ".join(f"{k} {v}" for k, v in report["versions"].items()))),
    ]
    return pairs(rows)


def _signature(report: Report) -> str:
    signature = report.get("signature")
    if not signature:
        return "<p>This report is not signed.</p>"
    key = fingerprint(base64.b64decode(signature["public_key"]))
    return pairs(
        [
            ("Algorithm", escape(signature["algorithm"])),
            ("Key", code(key)),
            ("To check it", "<code>faceveil verify-report report.html --key public.pem</code>"),
        ]
    )
