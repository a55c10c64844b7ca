"""Networks that are already ONNX, prepared: with free sizes and constant weights.

Old exporters list every weight as an input that could be overridden, which keeps onnxruntime from
folding batch normalisation and laying weights out for speed; and they fix the batch and the
picture's size they were traced with.
"""

from __future__ import annotations

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper

from faceveil.errors import WeightsError

CENTERFACE_CHANNELS = (1, 2, 2, 10)
SCRFD_ANSWERS = ({1: 3, 4: 3}, {1: 3, 4: 3, 10: 3})
"""How many outputs have so many numbers in a row, without and with landmarks."""
BUILT_IN_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc")
"""Where the operators that onnxruntime brings come from."""


def read_model(data: bytes, name: str) -> onnx.ModelProto:
    """Parse an ONNX file. Raises WeightsError, naming the file, for anything else."""
    try:
        model = onnx.load_from_string(data)
    except (DecodeError, ValueError) as error:
        raise WeightsError(
            f"{name}: not an ONNX file, or one that was cut off: {error}; copy it again"
        ) from error
    if not model.graph.node or not model.opset_import:
        raise WeightsError(f"{name}: not an ONNX file, or one that was cut off; copy it again")
    make_weights_constant(model)
    return model


def require_runnable(model: onnx.ModelProto, name: str) -> None:
    """Raise WeightsError for a network that onnxruntime cannot run for a reason that is known."""
    for opset in model.opset_import:
        newest = onnx.defs.onnx_opset_version()
        if opset.domain in ("", "ai.onnx") and opset.version > newest:
            raise WeightsError(
                f"{name}: is of opset {opset.version}, newer than the {newest} known here: export "
                "it for an older opset, or update onnx and onnxruntime"
            )
    own = {function.domain for function in model.functions}
    custom = sorted(
        {
            f"{node.domain}.{node.op_type}"
            for node in model.graph.node
            if node.domain not in BUILT_IN_DOMAINS and node.domain not in own
        }
    )
    if custom:
        raise WeightsError(
            f"{name}: needs operators that onnxruntime does not have ({', '.join(custom)}): export "
            "it with standard operators"
        )
    outside = [t.name for t in model.graph.initializer if t.data_location == t.EXTERNAL]
    if outside:
        raise WeightsError(
            f"{name}: keeps {len(outside)} of its weights in another file: save it as one file "
            "(onnx.save of what onnx.load returns)"
        )


def make_weights_constant(model: onnx.ModelProto) -> None:
    """Remove weights from the graph's inputs, and notes on shapes that may no longer hold."""
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(inputs)
    del graph.value_info[:]
    model.ir_version = max(model.ir_version, 4)  # before 4 every weight had to be an input


def free_batch(model: onnx.ModelProto) -> onnx.ModelProto:
    """Name the first axis of every input and output N, so that any batch size works."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    return model


def build_centerface(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """CenterFace (Xu et al. 2020) with a free batch, height and width (multiples of 32).

    Input float32 [N, 3, H, W] RGB 0-255; outputs at a quarter of the size, in this order: heat map
    [N, 1, h, w], log size / 4 [N, 2, h, w], offset [N, 2, h, w], landmarks [N, 10, h, w]. Raises
    WeightsError for a network of another form.
    """
    channels = tuple(
        dimensions[1] if len(dimensions := shape_of(value)) == 4 else None
        for value in model.graph.output
    )
    if len(model.graph.input) != 1 or channels != CENTERFACE_CHANNELS:
        raise WeightsError(
            f"{name}: not a CenterFace-like detector: expected one input and four outputs with "
            f"{CENTERFACE_CHANNELS} channels, found {channels}"
        )
    free_batch(model)
    _free_size(model.graph.input[0], "H", "W")
    for output in model.graph.output:
        _free_size(output, "h", "w")
    _fold_batch_norm(model.graph)
    return model


def _free_size(value: onnx.ValueInfoProto, height: str, width: str) -> None:
    dimensions = value.type.tensor_type.shape.dim
    dimensions[2].dim_param, dimensions[3].dim_param = height, width


def shape_of(value: onnx.ValueInfoProto) -> list[int | str]:
    """The dimensions of an input or output: numbers, or names where they are free."""
    return [d.dim_value or d.dim_param for d in value.type.tensor_type.shape.dim]


def _fold_batch_norm(graph: onnx.GraphProto) -> None:
    """Fold batch normalisation into the transposed convolution before it.

    onnxruntime does this only after plain convolutions.
    """
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    producers = {node.output[0]: node for node in graph.node}
    kept = []
    for node in graph.node:
        before = producers.get(node.input[0]) if node.op_type == "BatchNormalization" else None
        if before is None or before.op_type != "ConvTranspose" or len(before.input) != 2:
            kept.append(node)
            continue
        gain, bias, mean, variance = (numpy_helper.to_array(tensors[n]) for n in node.input[1:5])
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
        gain = gain / np.sqrt(variance + epsilon)
        kernel_tensor = tensors[before.input[1]]
        kernel = numpy_helper.to_array(kernel_tensor) * gain.reshape(1, -1, 1, 1)
        kernel_tensor.CopyFrom(numpy_helper.from_array(kernel, kernel_tensor.name))
        folded = numpy_helper.from_array(bias - mean * gain, f"{node.output[0]}_bias")
        graph.initializer.append(folded)
        before.input.append(folded.name)
        before.output[0] = node.output[0]
    del graph.node[:]
    graph.node.extend(kept)
    used = {name for node in graph.node for name in node.input}
    tensors_kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(tensors_kept)


def repair_old_batch_norm(model: onnx.ModelProto) -> None:
    """Drop spatial=0, which MXNet's exporter wrote although it meant one number per channel."""
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            attributes = [a for a in node.attribute if a.name != "spatial"]
            del node.attribute[:]
            node.attribute.extend(attributes)
