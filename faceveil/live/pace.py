"""The clock of a stream: its time stamps, which may jump, on the clock of the run."""

from __future__ import annotations

JUMP_SECONDS = 1.0
"""A time stamp further off is a jump, as after a reconnection, and the clock is set anew."""


class Pace:
    """Maps time stamps of a source to the seconds at which they are shown.

    Frames that come early are waited for, so that a file, or a segment that comes at once, plays at
    its own pace. Sound has the same clock, so that both stay in step.
    """

    def __init__(self) -> None:
        self._offset: float | None = None
        self.last = 0.0
        """When the last picture is shown."""

    def shown(self, stamp: float, now: float) -> tuple[float, bool]:
        """Return when a picture with this time stamp is shown, and whether the clock was set anew.

        The times rise from call to call, and lie less than `JUMP_SECONDS` from now.
        """
        is_new = self._offset is None or abs(stamp + self._offset - now) > JUMP_SECONDS
        if is_new:
            self._offset = max(now, self.last) - stamp
        assert self._offset is not None
        seconds = stamp + self._offset
        if seconds <= self.last:
            seconds = self.last + 1e-3
        self.last = seconds
        return seconds, is_new

    def heard(self, stamp: float, now: float) -> float:
        """Return when sound with this time stamp is heard. Only pictures set the clock, once there
        was one."""
        if self._offset is None:
            return now
        return stamp + self._offset

    def restart(self) -> None:
        """Set the clock anew with the next picture."""
        self._offset = None
