"""A host of a Processing job has the frames, so it follows faces by their pixels, as a desk does.

No network is opened: the faces are made up, the pixels that move are real.
"""

import numpy as np
import pytest
from PIL import Image as Picture

from faceveil import finding
from faceveil.faces import FrameFaces
from faceveil.jobs.detections.answers import DetectionFolder, DetectionFolders
from faceveil.jobs.job import read_job
from faceveil.jobs.processing.work import analyse_folder
from faceveil.media.folder import FolderSource
from testkit.made_job import MODELS

FRAMES, WIDTH, HEIGHT, SIDE = 24, 320, 180, 48
SEEN = range(4, 16)
"""The face is there all the time, and detected in these frames."""


def corner(number):
    return 40 + 6 * number, 60


def detected(number):
    x, y = corner(number)
    boxes = np.array([(x, y, x + SIDE, y + SIDE)] if number in SEEN else [], np.float32)
    count = len(boxes)
    return FrameFaces(
        WIDTH,
        HEIGHT,
        MODELS,
        boxes=boxes.reshape(-1, 4),
        scores=np.full(count, 0.99, np.float32),
        landmarks=np.zeros((count, 5, 2), np.float32),
        features=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        thumbnail=np.full((27, 48, 3), 128, np.uint8),
    )


@pytest.fixture
def inputs(tmp_path):
    """Frames in which a textured square moves, and their detections."""
    random = np.random.default_rng(0)
    patch = np.kron(random.integers(40, 216, (12, 12, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    backdrop = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    backdrop[:] = np.linspace(90, 150, WIDTH, dtype=np.uint8)[None, :, None]
    for name in ("frames", "detections"):
        (tmp_path / name).mkdir()
    for number in range(FRAMES):
        x, y = corner(number)
        picture = backdrop.copy()
        picture[y : y + SIDE, x : x + SIDE] = patch
        picture[0, 0] = number
        name = f"img{number + 1:07d}.png"
        Picture.fromarray(picture).save(tmp_path / "frames" / name)
        (tmp_path / "detections" / f"{name}.out").write_bytes(detected(number).to_json())
    return tmp_path


def boxes_of(sequences):
    return [
        (each.frames.tolist(), each.boxes.tolist(), each.provenance.tolist()) for each in sequences
    ]


def test_faces_are_followed_by_their_pixels_as_on_a_desk(inputs):
    job = read_job(
        b'{"version": 1, "id": "talk", "frames": {"prefix": "frames/talk/"}, "processing": {}}',
        "job.json",
    )
    source = FolderSource(inputs / "frames")
    folders = DetectionFolders((DetectionFolder(inputs / "detections"),))
    analysis = analyse_folder(job, source, folders, inputs)

    def analyzer(image):
        return detected(int(image[0, 0, 0]))

    here = finding.analyse(FolderSource(inputs / "frames"), analyzer, job.sequences)
    assert boxes_of(analysis.sequences) == boxes_of(here.sequences)
    answers = ((number, detected(number)) for number in range(FRAMES))
    blind = finding.follow(answers, job.sequences, size=(WIDTH, HEIGHT))
    assert boxes_of(blind.sequences) != boxes_of(here.sequences)
    (sequence,) = analysis.sequences
    last = int(sequence.frames[-1])
    assert last > SEEN[-1]
    x, y = corner(last)
    x1, y1, x2, y2 = sequence.boxes[-1]
    assert x1 <= x + 8 and x2 >= x + SIDE - 8, "the box has gone along with the pixels"
    assert y1 <= y + 8 and y2 >= y + SIDE - 8
