"""A network of a family of files (weights/families.py) as a detector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faceveil.detect.detector import Session
from faceveil.detect.detr import DETR
from faceveil.detect.object_detector import ObjectDetector
from faceveil.detect.one_stage import OneStageDetector
from faceveil.detect.retinaface import RetinaFace, RetinaFaceMaps
from faceveil.detect.scrfd import SCRFD
from faceveil.detect.yolo import YOLO, YOLOEndToEnd
from faceveil.detect.yunet import YuNet
from faceveil.errors import WeightsError

if TYPE_CHECKING:
    from faceveil.weights.manifest import Network

_OF_FACES: dict[str, type[OneStageDetector]] = {
    "scrfd": SCRFD,
    "retinaface": RetinaFace,
    "retinaface-maps": RetinaFaceMaps,
    "yunet": YuNet,
}
_OF_OBJECTS: dict[str, type[ObjectDetector]] = {
    "yolo-end-to-end": YOLOEndToEnd,
    "yolo": YOLO,
    "detr": DETR,
}
ARCHITECTURES = (*_OF_FACES, *_OF_OBJECTS)
_WORDS = {
    "face": ("face",),
    "head": ("head",),
    "plate": ("plate",),
    "person": ("person", "pedestrian", "people"),
    "screen": ("screen", "monitor", "tv", "laptop", "phone", "display"),
}
"""Parts of the names that classes of a kind have in data sets."""


def detector_of_family(
    network: Network, session: Session, min_size: float | None, kind: str = "face"
) -> OneStageDetector:
    """Return the detector of objects of a kind.

    Raises WeightsError for an architecture that no detector runs, and for a file that finds
    nothing of that kind.
    """
    name, accept = network.name, network.thresholds["accept"]
    if network.architecture in _OF_FACES:
        if kind != "face":
            raise WeightsError(f"{name}: finds faces, not objects of the kind {kind}")
        return _OF_FACES[network.architecture](name, session, min_size, accept)
    if network.architecture not in _OF_OBJECTS:
        raise WeightsError(
            f"{name}: faceveil has no detector for networks of architecture "
            f"{network.architecture!r}; known: {', '.join(ARCHITECTURES)}"
        )
    classes = classes_of_kind(name, network.class_names, kind)
    if network.architecture == "yolo":
        return YOLO(name, session, min_size, accept, classes, network.class_count)
    return _OF_OBJECTS[network.architecture](name, session, min_size, accept, classes)


def classes_of_kind(name: str, class_names: tuple[str, ...], kind: str) -> tuple[int, ...]:
    """Return the numbers of the classes of a kind; none, which is all, where a file names none.

    A file's only class is of another kind only where its name says so.
    """
    found = {
        other: tuple(
            number
            for number, class_name in enumerate(class_names)
            if any(word in class_name.lower() for word in words)
        )
        for other, words in _WORDS.items()
    }
    if found.get(kind):
        return found[kind]
    if len(class_names) < 2 and not any(found.values()):
        return ()
    raise WeightsError(
        f"{name}: finds {', '.join(class_names)}, none of which is of the kind {kind}"
    )
