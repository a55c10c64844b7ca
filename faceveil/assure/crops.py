"""Small pictures of violations that verification found. They show faces and are confidential."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image as Pictures

from faceveil.assure.verification import Violation
from faceveil.boxes import grown
from faceveil.errors import OutputError
from faceveil.faces import Image
from faceveil.files import replace_file

_MOST = 200
_MARGIN = 0.5
_OWNER_ONLY = 0o600


class Crops:
    """Writes PNG files, at most 200, readable by their owner only, into a folder.

    File names hold frame, kind and place. Raises OutputError when a file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written = 0
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be created ({error.strerror})") from error

    def save(self, picture: Image, violations: Iterable[Violation]) -> None:
        """Cut violations out of their frame, RGB uint8 [H, W, 3], half their size around."""
        height, width = picture.shape[:2]
        for item in violations:
            if self._written >= _MOST:
                return
            around = grown(np.array(item.box), _MARGIN)
            x1, y1, x2, y2 = np.clip(around, 0, (width, height) * 2).round().astype(int)
            if x1 >= x2 or y1 >= y2:
                continue
            content = BytesIO()
            Pictures.fromarray(picture[y1:y2, x1:x2]).save(content, "PNG")
            name = f"frame{item.frame:07d}-{item.kind}-{x1}-{y1}.png"
            replace_file(self._folder / name, content.getvalue(), _OWNER_ONLY)
            self._written += 1
