"""ArcFace (Deng et al. 2019; thesis 3.1.3): features whose directions agree for one person."""

from __future__ import annotations

import numpy as np

from faceveil.detect.align import CROP_SIZE
from faceveil.detect.detector import Session, require_finite, run_in_chunks, unit_rows
from faceveil.errors import UsageError
from faceveil.faces import Floats, Image

_CHUNK = 16


class ArcFace:
    """Recogniser for any ONNX network that takes NCHW float32 faces of 112 x 112 pixels.

    Parameters
    ----------
    name : str
    network : Session
    mean, scale : float
        A pixel p is fed as (p - mean) * scale.
    colour_order : {"RGB", "BGR"}
    batch_size : int, optional
        The only number of faces the network takes at once; None where any number will do.

    Raises
    ------
    UsageError
        For a network of another shape.
    """

    def __init__(
        self,
        name: str,
        network: Session,
        *,
        mean: float = 127.5,
        scale: float = 1 / 128,
        colour_order: str = "RGB",
        batch_size: int | None = None,
    ) -> None:
        self.name = name
        self._network = network
        self._input_name = _face_input(name, network)
        # AdaFace returns the length of each feature as well, in whichever order it was exported.
        self._output_name = max(network.outputs, key=lambda key: _columns(network.outputs[key]))
        self._mean, self._scale = mean, scale
        self._colour_order = colour_order
        self._batch_size = batch_size
        self.feature_size = self._measured_size()

    def features(self, crops: Image) -> Floats:
        """Return L2-normalised features float32 [n, D] of faces RGB uint8 [n, 112, 112, 3]."""
        ordered = crops[..., ::-1] if self._colour_order == "BGR" else crops
        raw = self._run(ordered)
        require_finite(self.name, [raw])
        return unit_rows(raw)

    def _run(self, crops: Image) -> Floats:
        (raw,) = run_in_chunks(
            self._network,
            (self._output_name,),
            self._input_name,
            crops,
            mean=self._mean,
            scale=self._scale,
            chunk=self._batch_size or _CHUNK,
            padded=self._batch_size is not None,
        )
        rows: Floats = raw
        return rows

    def _measured_size(self) -> int:
        """Length of a feature: as the file says, or as an empty batch returns."""
        declared = self._network.outputs[self._output_name][-1]
        if isinstance(declared, int):
            return declared
        return int(self._run(np.zeros((0, CROP_SIZE, CROP_SIZE, 3), np.uint8)).shape[1])


def _columns(shape: tuple[int | str | None, ...]) -> int:
    """How many numbers an output has in a row, 2 where the file leaves that open."""
    return shape[-1] if isinstance(shape[-1], int) else 2


def _face_input(name: str, network: Session) -> str:
    """The name of the input for faces."""
    pictures = [key for key, shape in network.inputs.items() if len(shape) == 4]
    if len(pictures) != 1 or not network.outputs:
        raise UsageError(
            f"recogniser {name!r} has {len(pictures)} picture inputs and {len(network.outputs)} "
            "outputs, not one of each: give an ONNX file from pictures to features"
        )
    shape = network.inputs[pictures[0]]
    pairs = zip(shape[1:], (3, CROP_SIZE, CROP_SIZE), strict=True)
    if any(isinstance(have, int) and have != want for have, want in pairs):
        raise UsageError(
            f"recogniser {name!r} takes {shape}, not [N, 3, {CROP_SIZE}, {CROP_SIZE}]: convert it "
            "to NCHW faces of that size"
        )
    return pictures[0]
