"""Sizes of an ONNX graph: onnx's inference, helped where it stops.

It stops at onnxruntime's own operators, which are rewritten to the standard ones they quantise, and
at sizes a model computes for itself (Shape, Gather, Concat, ...), which are evaluated here on
constants of at most SMALL values, and put back as constants; then it goes on.
"""

from __future__ import annotations

import math
from typing import Any

from wccsim.errors import WccsimError

SMALL = 1024  # constants of at most so many values keep them: pads, shapes, scales, clip bounds
MAX_PASSES = 64
ONNXRUNTIME = "com.microsoft"
# onnxruntime's operator: the standard one, and where its tensors stand among the inputs (from 0)
STANDARD = {
    "QLinearAdd": ("Add", (0, 3)),
    "QLinearMul": ("Mul", (0, 3)),
    "QLinearAveragePool": ("AveragePool", (0,)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,)),
    "QLinearReduceMean": ("ReduceMean", (0,)),
    "QLinearSigmoid": ("Sigmoid", (0,)),
    "QLinearLeakyRelu": ("LeakyRelu", (0,)),
    "QLinearSoftmax": ("Softmax", (0,)),
    "QGemm": ("Gemm", (0, 3, 6)),
    "FusedConv": ("Conv", (0, 1, 2)),
    "FusedGemm": ("Gemm", (0, 1, 2)),
    "FusedMatMul": ("MatMul", (0, 1)),
}
# fmt: off
GEOMETRY = (
    "axis", "auto_pad", "pads", "strides", "dilations", "kernel_shape", "group", "ceil_mode", "axes",
    "keepdims", "transA", "transB", "alpha",
)
FOLDED = (
    "Shape", "Size", "Gather", "Concat", "Add", "Sub", "Mul", "Div", "Mod", "Cast", "Unsqueeze", "Squeeze",
    "Slice", "Floor", "Ceil", "Sqrt", "Min", "Max", "Neg", "ReduceProd", "ReduceSum", "Equal", "Greater",
    "Less", "Not", "And", "Or", "Where", "Reshape", "Identity", "ConstantOfShape", "Transpose",
)
# fmt: on


def inlined(model: Any) -> Any:
    """The model with its own functions put where they are called."""
    if not model.functions:
        return model
    from onnx import inliner

    try:
        return inliner.inline_local_functions(model)
    except Exception:  # a function that is wrong: its calls stay, and are not understood
        return model


def lowered(model: Any) -> None:
    """Rewrite onnxruntime's operators in place; what has no standard form stays."""
    for node in model.graph.node:
        if node.domain == ONNXRUNTIME and node.op_type in ("QuantizeLinear", "DequantizeLinear", "Gelu"):
            node.domain = ""
        elif node.domain == ONNXRUNTIME and node.op_type == "QLinearConcat":
            _rewrite(node, "Concat", list(node.input[2::3]))
        elif node.domain == ONNXRUNTIME and node.op_type in STANDARD:
            op, places = STANDARD[node.op_type]
            plain = op != "MatMul" or not any(
                item.i for item in node.attribute if item.name.startswith("trans")
            )
            third = node.op_type == "FusedConv" and len(node.input) > 3  # a sum inside: not a convolution
            if plain and not third:
                _rewrite(node, op, [node.input[place] for place in places if place < len(node.input)])


def _rewrite(node: Any, op: str, inputs: list[str]) -> None:
    node.op_type, node.domain = op, ""
    del node.input[:]
    node.input.extend(inputs)
    kept = [item for item in node.attribute if item.name in GEOMETRY]
    del node.attribute[:]
    node.attribute.extend(kept)


def inferred(model: Any, path: str) -> Any:
    """The model with every size that can be known, from its inputs alone: what it says is dropped."""
    import onnx

    del model.graph.value_info[:]
    imported = {opset.domain for opset in model.opset_import}
    for domain in {node.domain for node in model.graph.node} - imported - {"", "ai.onnx"}:
        model.opset_import.append(onnx.helper.make_opsetid(domain, 1))  # else inference stops there
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) > SMALL:
            for data in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
                tensor.ClearField(data)
    try:
        for _ in range(MAX_PASSES):
            model = onnx.shape_inference.infer_shapes(model, data_prop=True)
            dims = known_dims(model)
            if all(name in dims for node in model.graph.node for name in node.output if name):
                break
            if not _quantisers_named(model, dims) and not _folded(model, dims):
                break
    except Exception as problem:  # onnx raises its own, RuntimeError and ValueError, by version
        reason = str(problem).strip().splitlines()[-1][:200] if str(problem).strip() else "no reason given"
        raise WccsimError(f"{path}: the sizes cannot be inferred: {reason}") from None
    return model


def array_of(tensor: Any) -> Any:
    """A small constant as an array; None where it is large, stored elsewhere, or broken."""
    import onnx

    if math.prod(tensor.dims) > SMALL or tensor.data_location == onnx.TensorProto.EXTERNAL:
        return None
    try:
        return onnx.numpy_helper.to_array(tensor)
    except Exception:  # a type onnx does not know, fewer data than dimensions, a size below 0, ...
        return None


def stated(node: Any) -> Any:
    """The array a Constant node states, in whichever of its attributes; None where it is no small tensor."""
    import numpy

    for item in node.attribute:
        if item.name == "value":
            return array_of(item.t)
        if item.name in ("value_int", "value_ints"):
            return numpy.array(item.i if item.name == "value_int" else item.ints, numpy.int64)
        if item.name in ("value_float", "value_floats"):
            return numpy.array(item.f if item.name == "value_float" else item.floats, numpy.float32)
    return None


def known_dims(model: Any) -> dict[str, tuple[int, ...]]:
    """Dimensions of every tensor where all are known and above 0; of constants too."""
    dims = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        tensor = value.type.tensor_type
        sizes = [dim.dim_value if dim.HasField("dim_value") else 0 for dim in tensor.shape.dim]
        if tensor.HasField("shape") and all(size > 0 for size in sizes):
            dims[value.name] = tuple(sizes)
    return dims


def _quantisers_named(model: Any, dims: dict[str, tuple[int, ...]]) -> int:
    """State sizes behind (de)quantisers of types this opset's inference does not take; how many."""
    import onnx

    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    count = 0
    for node in model.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear") or node.output[0] in dims:
            continue
        if node.input[0] in dims:
            quantise, zero = node.op_type == "QuantizeLinear", node.input[2] if len(node.input) > 2 else ""
            kind = types.get(zero, onnx.TensorProto.UINT8) if quantise else onnx.TensorProto.FLOAT
            for stale in [value for value in model.graph.value_info if value.name == node.output[0]]:
                model.graph.value_info.remove(stale)
            info = onnx.helper.make_tensor_value_info(node.output[0], kind, dims[node.input[0]])
            model.graph.value_info.append(info)
            count += 1
    return count


def _folded(model: Any, dims: dict[str, tuple[int, ...]]) -> int:
    """Evaluate what is computed from constants and known sizes; the number of nodes that went."""
    import onnx

    found_arrays = {tensor.name: array_of(tensor) for tensor in model.graph.initializer}
    arrays = {name: array for name, array in found_arrays.items() if array is not None}
    left = []
    for node in model.graph.node:
        found = _value(node, arrays, dims, model.opset_import)
        if found is None or found.size > SMALL:
            left.append(node)
            continue
        arrays[node.output[0]] = found
        model.graph.initializer.append(onnx.numpy_helper.from_array(found, node.output[0]))
    gone = len(model.graph.node) - len(left)
    del model.graph.node[:]
    model.graph.node.extend(left)
    return gone


def _value(node: Any, arrays: dict[str, Any], dims: dict[str, tuple[int, ...]], opsets: Any) -> Any:
    """The array a node gives, or None where it cannot be known or is too large to be a size."""
    import numpy
    import onnx

    if node.domain not in ("", "ai.onnx") or len(node.output) != 1:
        return None
    if node.op_type == "Constant":
        return stated(node)
    if node.op_type == "Shape" and node.input[0] in dims and not node.attribute:
        return numpy.array(dims[node.input[0]], numpy.int64)
    wanted = [name for name in node.input if name]
    if node.op_type not in FOLDED or not wanted or any(name not in arrays for name in wanted):
        return None
    if node.op_type == "ConstantOfShape" and math.prod(map(int, arrays[wanted[0]])) > SMALL:
        return None
    from onnx.reference import ReferenceEvaluator

    infos = [onnx.helper.make_tensor_value_info(name, 0, None) for name in dict.fromkeys(wanted)]
    out = onnx.helper.make_tensor_value_info(node.output[0], 0, None)
    graph = onnx.helper.make_graph([node], "one", infos, [out])
    try:
        single = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=list(opsets)))
        (found,) = single.run(None, {name: arrays[name] for name in dict.fromkeys(wanted)})
    except Exception:  # the node is wrong, or onnx does not run it: its size stays unknown
        return None
    return numpy.asarray(found)
