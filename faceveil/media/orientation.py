"""Upright views of pictures and frames stored turned or mirrored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
from numpy.typing import NDArray

from faceveil.faces import Image


@dataclass(frozen=True, slots=True)
class Orientation:
    """How the stored picture becomes upright: first transposed, then mirrored."""

    transposed: bool = False
    mirrored_across: bool = False
    mirrored_down: bool = False

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Upright width and height of a picture stored with these."""
        return (height, width) if self.transposed else (width, height)

    def view(self, stored: NDArray[Any]) -> NDArray[Any]:
        """The upright picture [H, W, ...] as a view: writing to it writes to what is stored."""
        upright = stored.swapaxes(0, 1) if self.transposed else stored
        if self.mirrored_down:
            upright = upright[::-1]
        return upright[:, ::-1] if self.mirrored_across else upright

    def copy(self, stored: Image) -> Image:
        """The upright picture [H, W, 3], contiguous (faster than copying the view)."""
        upright: Any = cv2.transpose(stored) if self.transposed else stored
        if self.mirrored_down or self.mirrored_across:
            upright = cv2.flip(upright, _FLIP_CODES[self.mirrored_across, self.mirrored_down])
        image: Image = upright
        return image


_FLIP_CODES = {(True, False): 1, (False, True): 0, (True, True): -1}

UPRIGHT = Orientation()

EXIF_ORIENTATIONS = {
    1: UPRIGHT,
    2: Orientation(mirrored_across=True),
    3: Orientation(mirrored_across=True, mirrored_down=True),
    4: Orientation(mirrored_down=True),
    5: Orientation(transposed=True),
    6: Orientation(transposed=True, mirrored_across=True),
    7: Orientation(transposed=True, mirrored_across=True, mirrored_down=True),
    8: Orientation(transposed=True, mirrored_down=True),
}
"""What each value of the EXIF tag 0x0112 means."""


def from_display_matrix(matrix: Sequence[int]) -> Orientation:
    """The quarter turn nearest to a video's display matrix (9 integers as FFmpeg stores them)."""
    a, b, _, c, d = matrix[:5]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)
