"""The result of verification: violations, doubtful faces, and how much was checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from faceveil.errors import VerificationError

_NAMED = 5

Verdict = Literal["uncovered", "recognised", "unveiled"]
_MEANING = {
    "uncovered": "a face under no veil (score {measure:.2f})",
    "recognised": "a veiled person recognised (similarity {measure:.2f})",
    "unveiled": "a veil is missing ({measure:.0%} of it)",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One violation on one frame.

    Attributes
    ----------
    kind : {"uncovered", "recognised", "unveiled"}
        "uncovered": a face is clearly visible where none may be. "recognised": the recogniser
        knows a person who is veiled. "unveiled": the pixels show what a veil must hide.
    frame : int
    box : (float, float, float, float)
        x1, y1, x2, y2 in pixels of the upright frame.
    measure : float
        The score of the detector, the cosine, or the share of the veil that is missing.
    sequence : int, optional
        The sequence of the veil; None for a face of no sequence.
    """

    kind: Verdict
    frame: int
    box: tuple[float, float, float, float]
    measure: float
    sequence: int | None = None

    def __str__(self) -> str:
        x1, y1, x2, y2 = self.box
        whose = "" if self.sequence is None else f", sequence {self.sequence}"
        what = _MEANING[self.kind].format(measure=self.measure)
        return f"frame {self.frame} at ({x1:.0f}, {y1:.0f})-({x2:.0f}, {y2:.0f}){whose}: {what}"


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of `verify`.

    Attributes
    ----------
    frames : int
        Frames of the output.
    looked_at : int
        Frames given to the detector and, where features were available (`recognised`), to the
        recogniser. The name is that of report.json.
    veils : int
        Veils compared with the input by pixels.
    recognised : bool
        Whether people could be recognised.
    violations : sequence of Violation
    doubtful : sequence of (int, box)
        Faces that a person should look at, but that fail nothing: faces under no veil that a second
        detection did not confirm, or that were not selected where only some people are veiled, and
        people recognised above an "upper" veil, which leaves them recognisable on purpose.
    """

    frames: int
    looked_at: int
    veils: int
    recognised: bool
    violations: Sequence[Violation]
    doubtful: Sequence[tuple[int, tuple[float, float, float, float]]]

    def summary(self) -> str:
        """Return in a few lines what was checked, and what a person should look at."""
        compared = f"{self.veils} veils compared with the input, " if self.veils else ""
        failed = len({item.frame for item in self.violations})
        result = f"{failed} frames show what must be veiled" if failed else "nothing shows"
        lines = [
            f"verified: {compared}{self.looked_at} of {self.frames} frames looked at: {result}"
        ]
        if self.doubtful:
            frames = sorted({frame for frame, _ in self.doubtful})
            named = ", ".join(map(str, frames[:_NAMED])) + (", …" if len(frames) > _NAMED else "")
            lines.append(f"{len(self.doubtful)} may be faces, not veiled; look at frames {named}")
        return "\n".join(lines)

    def require(self, where: str, advice: str = "") -> None:
        """Raise VerificationError, naming the worst violations first, unless there are none.

        `where` is the output, as the message names it; `advice` is added at its end.
        """
        if not self.violations:
            return
        frames = len({item.frame for item in self.violations})
        named = "; ".join(str(item) for item in _worst_of_each(self.violations)[:_NAMED])
        raise VerificationError(
            f"{where}: shows what must be veiled, on {frames} of {self.frames} frames: {named}. "
            f"For faces that were missed, analyse again with a lower --min-face-size{advice}"
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Verification:
        """Return the verification that `to_dict` wrote."""
        violations = [
            Violation(**item | {"box": tuple(item["box"])}) for item in data["violations"]
        ]
        doubtful = [(item["frame"], tuple(item["box"])) for item in data["doubtful"]]
        return cls(**{**data, "violations": violations, "doubtful": doubtful})

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for report.json, without features and pictures."""
        return {
            "frames": self.frames,
            "looked_at": self.looked_at,
            "veils": self.veils,
            "recognised": self.recognised,
            "violations": [asdict(item) for item in self.violations],
            "doubtful": [{"frame": frame, "box": box} for frame, box in self.doubtful],
        }


def _worst_of_each(violations: Sequence[Violation]) -> list[Violation]:
    """The worst violation of each kind and sequence."""
    worst: dict[tuple[str, int | None], Violation] = {}
    for item in violations:
        key = item.kind, item.sequence
        if key not in worst or item.measure > worst[key].measure:
            worst[key] = item
    return sorted(worst.values(), key=lambda item: -item.measure)
