"""No features: faces are detected and followed, and selected by points and identities only."""

from __future__ import annotations

import numpy as np

from faceveil.faces import Floats, Image

NO_RECOGNIZER = "none"


class NoRecognizer:
    """A recogniser without features: nothing biometric is computed."""

    name = NO_RECOGNIZER
    feature_size = 0

    def features(self, crops: Image) -> Floats:
        """Return an empty array float32 [n, 0]."""
        return np.zeros((len(crops), 0), np.float32)
