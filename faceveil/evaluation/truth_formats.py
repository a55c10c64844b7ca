"""Truth as files: faceveil's own JSON (truth.schema.json), MOT text and COCO JSON.

The own format holds one entry per face followed through a shot: person, frames, boxes and
visibility, a share or "ignore" for a face that is not recognisable. An object of another kind has
a kind as well, such as "plate".
"""

from __future__ import annotations

import configparser
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from jsonschema import Draft202012Validator
from numpy.typing import NDArray

from faceveil.errors import InputError
from faceveil.evaluation.truth import Truth, seen_inside
from faceveil.faces import Floats, Ints, Kind
from faceveil.files import replace_file
from faceveil.schemas import load_schema

FORMAT = "faceveil-truth"
VERSION = 1
_KIND_WORDS = {kind.word for kind in Kind}


@dataclass(frozen=True, slots=True)
class Clip:
    """The frames a truth is about: name, size of the upright frame in pixels, frame count."""

    name: str
    width: int
    height: int
    frame_count: int


@dataclass(slots=True)
class _Rows:
    """Rows of a truth while they are read; person and track are any keys."""

    frames: list[int] = field(default_factory=list)
    boxes: list[Sequence[float]] = field(default_factory=list)
    person: list[str] = field(default_factory=list)
    track: list[object] = field(default_factory=list)
    visibility: list[float] = field(default_factory=list)
    ignore: list[bool] = field(default_factory=list)
    kind: list[Kind] = field(default_factory=list)

    def add(
        self,
        frame: int,
        box: Sequence[float],
        person: str,
        track: object,
        visibility: float = 1.0,
        *,
        ignore: bool = False,
        kind: Kind = Kind.FACE,
    ) -> None:
        self.frames.append(frame)
        self.boxes.append(box)
        self.person.append(person)
        self.track.append(track)
        self.visibility.append(visibility)
        self.ignore.append(ignore)
        self.kind.append(kind)


def read_truth(path: Path, clip: Clip | None = None) -> Truth:
    """Read truth in any of the three formats: .txt is MOT, .json faceveil's own or COCO.

    Parameters
    ----------
    path : Path
    clip : Clip, optional
        What the file does not contain (MOT text without seqinfo.ini).

    Raises
    ------
    InputError
        When the file has none of the formats or is inconsistent; the message names the field.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        if path.suffix.lower() == ".txt":
            return truth_of_mot(content.decode(), clip or _sequence_information(path))
        document = orjson.loads(content)
        if isinstance(document, dict) and "images" in document and "annotations" in document:
            return truth_of_coco(document)
        return from_document(document)
    except (orjson.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is neither JSON nor text ({error})") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def write_truth(truth: Truth, path: Path, name: str, checked: str) -> None:
    """Write truth in faceveil's own format. Raises OutputError when it cannot be written.

    `name` is that of the clip; `checked` says how the labels were made and checked.
    """
    document = truth_document(truth, name, checked)
    replace_file(path, orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")


def truth_document(truth: Truth, name: str, checked: str) -> dict[str, Any]:
    """Return the truth as plain data; of what hides a face only the visible share is kept."""
    visible = np.round(truth.visible.astype(np.float64), 2)
    faces = []
    for track in np.unique(truth.track).tolist():
        rows = np.flatnonzero(truth.track == track)
        values = ["ignore" if truth.ignore[row] else visible[row] for row in rows.tolist()]
        kind = Kind(int(truth.kinds[rows[0]]))
        faces.append(
            {
                "person": truth.people[truth.person[rows[0]]],
                **({} if kind == Kind.FACE else {"kind": kind.word}),
                "frames": truth.frames[rows].tolist(),
                "boxes": np.round(truth.boxes[rows].astype(np.float64), 1).tolist(),
                "visibility": values[0] if len(set(values)) == 1 else values,
            }
        )
    return {
        "format": FORMAT,
        "version": VERSION,
        "clip": {
            "name": name,
            "width": truth.width,
            "height": truth.height,
            "frame_count": truth.frame_count,
        },
        "checked": checked,
        "shot_starts": truth.shot_starts.tolist(),
        "labelled": _ranges(truth.labelled),
        "kinds": [kind.word for kind in truth.labelled_kinds],
        "faces": faces,
    }


def from_document(document: object) -> Truth:
    """Return the truth in plain data of faceveil's own format. Raises InputError."""
    error = next(Draft202012Validator(load_schema("truth")).iter_errors(document), None)
    if error is not None or not isinstance(document, dict):
        where = error.json_path.removeprefix("$").lstrip(".") if error else ""
        said = error.message if error else "is not an object"
        raise InputError(f"is not faceveil truth: {where or 'the document'}: {said:.200}")
    rows = _Rows()
    for index, face in enumerate(document["faces"]):
        count, where = len(face["frames"]), f"faces[{index}]"
        values = face.get("visibility", 1.0)
        values = values if isinstance(values, list) else [values] * count
        if len(face["boxes"]) != count or len(values) != count:
            raise InputError(f"{where}: as many boxes and visibilities are needed as frames")
        if sorted(set(face["frames"])) != face["frames"]:
            raise InputError(f"{where}.frames must rise")
        for frame, box, value in zip(face["frames"], face["boxes"], values, strict=True):
            ignore = value == "ignore"
            share = 1.0 if ignore else float(value)
            kind = Kind.of(face.get("kind", Kind.FACE.word))
            rows.add(frame, box, face["person"], index, share, ignore=ignore, kind=kind)
    about = document["clip"]
    clip = Clip(about["name"], about["width"], about["height"], about["frame_count"])
    labelled = np.zeros(clip.frame_count, bool)
    for first, end in document.get("labelled", [[0, clip.frame_count]]):
        labelled[first:end] = True
    kinds = {Kind.of(word) for word in document.get("kinds", ())}
    if kinds and not kinds.issuperset(rows.kind):
        missing = min(set(rows.kind) - kinds).word
        raise InputError(f"kinds: {missing} is missing, of which there are labels")
    return _truth(rows, clip, document.get("shot_starts", [0]), labelled, tuple(sorted(kinds)))


def truth_of_mot(text: str, clip: Clip) -> Truth:
    """MOTChallenge ground truth: frame, track, left, top, width, height, and optionally whether
    it counts, class, visible share. Frames and pixels count from 1; each track is a person.

    Raises InputError that names the line.
    """
    rows = _Rows()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = [float(value) for value in line.split(",")]
            frame, track, left, top, width, height = values[:6]
        except ValueError:
            raise InputError(f"line {number} is not MOT text: {line:.60}") from None
        box = (left - 1, top - 1, left - 1 + width, top - 1 + height)
        visibility = values[8] if len(values) > 8 and values[8] >= 0 else 1.0
        counts = len(values) < 7 or values[6] != 0
        key = int(track)
        rows.add(int(frame) - 1, box, f"track {key}", key, visibility, ignore=not counts)
    return _truth(rows, clip, [0])


def truth_of_coco(document: dict[str, Any]) -> Truth:
    """COCO annotations of a clip: images in the order of `frame_id`, or of their file names.

    A face is followed by its `track_id` (or `instance_id`), else each is a track of its own;
    `iscrowd` says that it counts neither way. A category whose name is that of a kind, such as
    "plate", holds objects of that kind; all others hold faces. Raises InputError.
    """
    try:
        images = sorted(document["images"], key=_order)
        frame_of = {image["id"]: image.get("frame_id", at) for at, image in enumerate(images)}
        kinds = {
            item["id"]: Kind.of(str(item["name"]).lower())
            for item in document.get("categories", ())
            if str(item.get("name", "")).lower() in _KIND_WORDS
        }
        rows = _Rows()
        for at, item in enumerate(document["annotations"]):
            left, top, width, height = map(float, item["bbox"])
            key = item.get("track_id", item.get("instance_id"))
            person = f"face {at}" if key is None else f"track {key}"
            rows.add(
                int(frame_of[item["image_id"]]),
                (left, top, left + width, top + height),
                person,
                person,
                float(item.get("visibility", 1.0)),
                ignore=bool(item.get("iscrowd", 0)),
                kind=kinds.get(item.get("category_id"), Kind.FACE),
            )
        clip = Clip(
            str(images[0].get("file_name", "")),
            int(images[0]["width"]),
            int(images[0]["height"]),
            1 + max(int(number) for number in frame_of.values()),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"is not COCO for a clip: {error!r}") from error
    return _truth(rows, clip, [0])


def _order(image: dict[str, Any]) -> tuple[int, str]:
    return int(image.get("frame_id", 0)), str(image.get("file_name", ""))


def _sequence_information(path: Path) -> Clip:
    """seqinfo.ini of a MOTChallenge sequence, which lies beside its folder gt/ or the file."""
    for folder in (path.parent, path.parent.parent):
        settings = configparser.ConfigParser()
        if settings.read(folder / "seqinfo.ini") and settings.has_section("Sequence"):
            about = settings["Sequence"]
            sizes = [int(about[key]) for key in ("imWidth", "imHeight", "seqLength")]
            return Clip(about.get("name", path.stem), *sizes)
    raise InputError(
        "MOT text does not tell the size of its frames: put its seqinfo.ini beside it "
        "(imWidth, imHeight, seqLength), or give the output as analysis.json"
    )


def _truth(
    rows: _Rows,
    clip: Clip,
    shot_starts: Iterable[int],
    labelled: NDArray[np.bool_] | None = None,
    labelled_kinds: tuple[Kind, ...] = (),
) -> Truth:
    people = tuple(sorted(set(rows.person)))
    number = {name: index for index, name in enumerate(people)}
    tracks: dict[object, int] = {}
    for key in rows.track:
        tracks.setdefault(key, len(tracks))
    frames: Ints = np.array(rows.frames, np.int32)
    boxes: Floats = np.array(rows.boxes, np.float32).reshape(-1, 4)
    wrong = np.flatnonzero((boxes[:, 2:] <= boxes[:, :2]).any(axis=1))
    if len(wrong):
        raise InputError(f"frame {frames[wrong[0]]}: the box {rows.boxes[wrong[0]]} is empty")
    outside = np.flatnonzero((frames < 0) | (frames >= clip.frame_count))
    if len(outside):
        raise InputError(f"frame {frames[outside[0]]} of a clip of {clip.frame_count} frames")
    order = np.argsort(frames, kind="stable")
    kinds = np.array(rows.kind, np.uint8)[order]
    return Truth(
        width=clip.width,
        height=clip.height,
        frame_count=clip.frame_count,
        people=people,
        shot_starts=np.array(list(shot_starts), np.int32),
        frames=frames[order],
        person=np.array([number[name] for name in rows.person], np.int32)[order],
        boxes=boxes[order],
        seen=seen_inside(boxes[order], clip.width, clip.height, kinds),
        track=np.array([tracks[key] for key in rows.track], np.int32)[order],
        visibility=np.array(rows.visibility, np.float32)[order],
        ignore=np.array(rows.ignore, bool)[order],
        labelled=np.ones(clip.frame_count, bool) if labelled is None else labelled,
        kinds=kinds,
        labelled_kinds=labelled_kinds,
    )


def _ranges(flags: NDArray[np.bool_]) -> list[list[int]]:
    """[first, end) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [[int(first), int(end)] for first, end in edges.reshape(-1, 2)]
