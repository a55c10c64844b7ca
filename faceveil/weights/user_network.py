"""A user's own network, given by path and described from its files."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import onnx

from faceveil.errors import UsageError, WeightsError
from faceveil.weights.convert import convert
from faceveil.weights.convert_mxnet import STAGES
from faceveil.weights.convert_onnx import read_model, require_runnable
from faceveil.weights.families import class_count, class_names, family_of
from faceveil.weights.manifest import Member, Network, Source, load_manifest
from faceveil.weights.packs import file_in_pack, known_packs, pack_of
from faceveil.weights.trial import Form, try_network

LICENCE = "user supplied"
SCRFD_PUBLISHER = "insightface"
USUAL_THRESHOLDS = {"detector": "centerface", "recognizer": "arcface-mobilefacenet"}
"""Networks whose thresholds hold for a user's own of the same role."""
NORMALISING_OPERATORS = ("Sub", "Add", "Mul", "Div", "BatchNormalization")


def read_user_network(path: Path, role: str) -> tuple[Network, dict[str, bytes]]:
    """Return the network at `path` and its source files.

    A detector is a folder with MXNet's det1..det3 (det4) or an ONNX file of a known family, a
    recogniser such a file (`families`; a trial tells which). A folder may also be a pack
    (weights/packs.py) that holds such files. Pixels are fed to a recogniser as
    (x - 127.5) / 127.5, InsightFace's way, unless the graph normalises them itself. Raises
    WeightsError for anything else, UsageError for a role no file can have.
    """
    if role == "shots":
        raise UsageError(f"{path}: a shot network cannot be given by path; use transnetv2")
    if path.is_dir():
        of_pack = file_in_pack(path, role)
        if of_pack is not None:
            return read_user_network(of_pack, role)
        files = _read_mxnet_folder(path, role)
        network = _base(path, role, "mtcnn", "mtcnn-mxnet", files)
        known = load_manifest()["mtcnn"]
        return replace(
            network, mean=known.mean, scale=known.scale, thresholds=known.thresholds
        ), files
    files = {"model": _read(path)}
    model = read_model(files["model"], path.name)
    require_runnable(model, path.name)
    network = _base(path, role, "", f"user-{role}-onnx", files)
    form = try_network(path.name, convert(network, files)["model"].SerializeToString())
    network = _of_family(network, form)
    if role == "recognizer":
        network = _describe_recognizer(network, model, form)
    return _with_terms(network), files


def _of_family(network: Network, form: Form) -> Network:
    """The network as one of its family."""
    family = family_of(form, network.role)
    known = load_manifest()
    return replace(
        network,
        architecture=family.name,
        format=family.name + "-onnx" if network.role == "detector" else network.format,
        colour_order=family.colour_order,
        thresholds=known[USUAL_THRESHOLDS[network.role]].thresholds,
        class_names=class_names(form),
        class_count=class_count(form) if family.name == "yolo" else 0,
    )


def _with_terms(network: Network) -> Network:
    """The network with the licence of the pack it is from.

    Only InsightFace is known to publish SCRFD networks, so that one of an unknown name is taken for
    theirs.
    """
    (member,) = network.members
    pack, licence = pack_of(network.name, member.sha256), ""
    if pack is None and network.architecture == "scrfd":
        (pack,) = (known for known in known_packs() if known.name == SCRFD_PUBLISHER)
        licence = "; if you have trained it yourself, accepting says so"
    if pack is None:
        return network
    return replace(
        network,
        summary=f"a {network.role} of {pack.name}",
        licence=pack.licence + licence,
        commercial_use=False,
        training_data=pack.training_data,
    )


def _describe_recognizer(network: Network, model: onnx.ModelProto, form: Form) -> Network:
    (picture,) = form.inputs
    side = max(picture.seen[1:3])
    normalises = model.graph.node[0].op_type in NORMALISING_OPERATORS
    batch = picture.shape[0]
    return replace(
        network,
        mean=0.0 if normalises else 127.5,
        scale=1.0 if normalises else 1 / 127.5,
        input_size=(side, side),
        feature_size=max(port.seen[1] for port in form.outputs),
        batch_size=batch if isinstance(batch, int) and batch else None,
    )


def _base(
    path: Path, role: str, architecture: str, file_format: str, files: dict[str, bytes]
) -> Network:
    members = tuple(
        Member(name, name, len(data), hashlib.sha256(data).hexdigest())
        for name, data in files.items()
    )
    return Network(
        name=path.name,
        role=role,
        architecture=architecture,
        summary=f"the user's own {role}",
        licence=LICENCE,
        commercial_use=True,
        training_data="unknown: the user answers for it",
        format=file_format,
        source=Source("path", str(path)),
        members=members,
        mean=0.0,
        scale=1.0,
    )


def _read_mxnet_folder(path: Path, role: str) -> dict[str, bytes]:
    if role != "detector":
        raise WeightsError(f"{path}: a folder can be a detector (MXNet's det1..det3), not a {role}")
    files = {}
    for stage, name in STAGES.items():
        symbol, params = path / f"{name}-symbol.json", path / f"{name}-0001.params"
        if stage == "lnet" and not symbol.exists():
            continue
        files[f"{stage}.symbol"], files[f"{stage}.params"] = _read(symbol), _read(params)
    return files


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error
