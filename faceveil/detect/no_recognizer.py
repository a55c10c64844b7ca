"""No features: faces are found and followed, and selected by points and identities only."""

from __future__ import annotations

import numpy as np

from faceveil.faces import Floats, Image

NO_RECOGNIZER = "none"


class NoRecognizer:
    """A recogniser that recognises nobody: nothing biometric is computed."""

    name = NO_RECOGNIZER
    feature_size = 0

    def features(self, crops: Image) -> Floats:
        """float32 [n, 0] for n faces."""
        return np.zeros((len(crops), 0), np.float32)
