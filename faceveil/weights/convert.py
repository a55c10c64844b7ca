"""Conversion of source files to ONNX, from any of the known formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx

from faceveil.errors import WeightsError
from faceveil.weights import (
    convert_mtcnn,
    convert_mxnet,
    convert_onnx,
    convert_python,
    convert_tflite,
    convert_transnet,
)
from faceveil.weights.manifest import Network
from faceveil.weights.prelu import rewrite_prelu

UNCHANGED_FORMATS = (
    "scrfd-onnx",
    "retinaface-onnx",
    "retinaface-maps-onnx",
    "yunet-onnx",
    "yolo-end-to-end-onnx",
    "yolo-onnx",
    "detr-onnx",
    "facenet-onnx",
    "user-detector-onnx",
)
"""Formats of ONNX files that run unchanged."""

Files = Mapping[str, bytes]
Models = dict[str, onnx.ModelProto]


def convert(network: Network, files: Files) -> Models:
    """Return ONNX networks by name, from checked source files by name.

    Raises WeightsError for files that do not have the format of the network.
    """
    converter = CONVERTERS.get(network.format)
    if converter is None:
        raise WeightsError(f"{network.name}: unknown format {network.format!r}")
    return {name: rewrite_prelu(model) for name, model in converter(network, files).items()}


def _mtcnn(_network: Network, files: Files) -> Models:
    return {
        name: convert_mtcnn.build_network(name, convert_mtcnn.read_arrays(data))
        for name, data in files.items()
    }


def _mxnet(_network: Network, files: Files) -> Models:
    stages = [stage for stage in convert_mxnet.STAGES if f"{stage}.symbol" in files]
    return {
        stage: convert_mxnet.build_network(
            stage, files[f"{stage}.symbol"], files[f"{stage}.params"]
        )
        for stage in stages
    }


def _mobilefacenet(_network: Network, files: Files) -> Models:
    return {"model": convert_tflite.build_network(files["model"])}


def _transnet(_network: Network, files: Files) -> Models:
    checkpoint = convert_transnet.read_checkpoint(files["model"])
    return {"model": convert_transnet.build_network(checkpoint)}


def _centerface(network: Network, files: Files) -> Models:
    model = convert_onnx.read_model(files["model"], network.name)
    return {"model": convert_onnx.build_centerface(model, network.name)}


def _as_it_is(network: Network, files: Files) -> Models:
    return {"model": convert_onnx.read_model(files["model"], network.name)}


def _retinaface_python(network: Network, files: Files) -> Models:
    data = convert_python.read_constant(files["model"], network.name)
    return {"model": convert_onnx.read_model(data, network.name)}


def _arcface(network: Network, files: Files) -> Models:
    return {"model": convert_onnx.free_batch(_user_recognizer(network, files)["model"])}


def _user_recognizer(network: Network, files: Files) -> Models:
    model = convert_onnx.read_model(files["model"], network.name)
    convert_onnx.repair_old_batch_norm(model)
    return {"model": model}


CONVERTERS: dict[str, Callable[[Network, Files], Models]] = {
    "mtcnn-lz4": _mtcnn,
    "mtcnn-mxnet": _mxnet,
    "mobilefacenet-tflite": _mobilefacenet,
    "transnetv2-pth": _transnet,
    "centerface-onnx": _centerface,
    **dict.fromkeys(UNCHANGED_FORMATS, _as_it_is),
    "retinaface-python": _retinaface_python,
    "arcface-onnx": _arcface,
    "user-recognizer-onnx": _user_recognizer,
}
