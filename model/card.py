"""The model card: what each network is, where it comes from, and under what terms."""

from __future__ import annotations

from collections.abc import Sequence

from faceveil.weights.manifest import Network
from faceveil.weights.store import Located

HEADER = """\
# faceveil's networks

ONNX files for the server of faceveil, which finds faces in frames and tells people apart so that
the right ones are veiled. Each folder holds one network and an `index.json` with the sha256 of its
files; a server uses nothing else. `manifest.json` says the same as this card, for programs.

## Use
- **Meant for** veiling people in video. A face that is found is never a statement about a person.
- **Not meant for** identifying people, surveillance, or deciding anything about a person.
- Features are biometric data: keep them short, encrypted, and out of logs.
- The networks were trained on pictures collected from the web, in which people are not equally
  represented; recall differs with skin tone, age, angle, light and size. Measure it on your own
  material before you rely on it, and review what the report lists as uncertain.

## Networks
"""


def model_card(located: Sequence[Located]) -> str:
    """The card, in Markdown, of these networks in this order."""
    return HEADER + "".join(_section(part) for part in located)


def _section(located: Located) -> str:
    network = located.network
    rows = {
        "role": network.role,
        "licence": network.licence,
        "commercial use": "allowed" if network.commercial_use else "not allowed",
        "training data": network.training_data,
        "source": f"{network.source.kind}: {network.source.location}",
        "input": _input(network),
        "source files and conversion": located.digest,
    }
    lines = [f"\n### {network.name}", f"{network.summary}.", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(lines) + "\n"


def _input(network: Network) -> str:
    size = "any size" if network.input_size is None else "{} x {}".format(*network.input_size)
    return f"{network.colour_order}, {size}, (pixel - {network.mean:g}) * {network.scale:g}"
