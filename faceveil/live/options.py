"""The options of a live run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from faceveil.errors import UsageError
from faceveil.sequence.options import SequenceOptions
from faceveil.tracking.track import TrackOptions
from faceveil.veils.styles import VeilStyle

OnOverload = Literal["freeze", "blank"]


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How a stream is veiled.

    Attributes
    ----------
    delay
        Seconds from when a frame comes to when it leaves, 0.3 to 10. Within them a face that is
        detected late is still veiled in the frames before.
    on_overload
        What is shown in place of a frame that is not ready when it is due: the last one that was
        veiled (`freeze`), or a black picture (`blank`).
    forget
        Seconds after which a person who is out of sight is forgotten.
    keep_foreground
        Whether people who stand in the foreground stay visible (`foreground`).
    workers
        Processes that detect faces; None takes all cores but one.
    style
        What the veils look like.
    sequences
        How detections become sequences.
    tracking
        How faces are followed by their pixels.

    Raises
    ------
    UsageError
        For values out of range.
    """

    delay: float = 1.0
    on_overload: OnOverload = "freeze"
    forget: float = 600.0
    keep_foreground: bool = False
    workers: int | None = None
    style: VeilStyle = field(default_factory=VeilStyle)
    sequences: SequenceOptions = SequenceOptions()
    tracking: TrackOptions = TrackOptions()

    def __post_init__(self) -> None:
        if not 0.3 <= self.delay <= 10:
            raise UsageError(f"delay {self.delay:g}: must be 0.3 to 10 seconds")
        if self.on_overload not in get_args(OnOverload):
            raise UsageError(f"on_overload {self.on_overload!r} is neither freeze nor blank")
        if not self.forget > 0:
            raise UsageError(f"forget {self.forget:g}: must be more than 0 seconds")
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"workers {self.workers} is less than 1")
