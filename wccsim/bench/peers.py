"""The peers: ONNX Runtime's dense int8 convolution, and the published WCC layer in PyTorch float32.

Both are optional (extra `bench`); one that is missing is named in the report as not run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wccsim.bench.inputs import Job

ONNXRUNTIME = "ONNX Runtime dense u8s8"
PYTORCH = "PyTorch WCC layer"


def available(
    threads: int, only: str = ""
) -> tuple[dict[str, Callable[[Job], Callable[[], object]]], list[str]]:
    """The peers that can run, each with what makes a call of a job, and those that cannot, with why.

    only: the beginning of the one name that is wanted.
    """
    makers: dict[str, Callable[[Job], Callable[[], object]]] = {}
    missing = []
    try:
        import onnx  # noqa: F401
        import onnxruntime

        makers[f"{ONNXRUNTIME} {onnxruntime.__version__}"] = lambda job: dense_convolution(job, threads)
    except ImportError as problem:
        missing.append(f"{ONNXRUNTIME}: not run ({problem})")
    if not PYTORCH.startswith(only):
        return makers, missing
    try:
        import torch

        torch.set_num_threads(threads)
        makers[f"{PYTORCH} {torch.__version__}"] = published_layer
    except ImportError as problem:
        missing.append(f"{PYTORCH}: not run ({problem})")
    return makers, missing


def dense_convolution(job: Job, threads: int) -> Callable[[], object]:
    """The layer without WCC: QLinearConv with uint8 activations and per-channel int8 weights."""
    import onnx
    import onnxruntime
    from onnx import helper, numpy_helper

    p = job.plan
    scales = np.full(p.out_channels, 0.01, np.float32)
    constants: dict[str, Any] = {
        "x_scale": np.float32(0.02),
        "x_zero": np.uint8(128),
        "w": p.weights.reshape(p.out_channels, p.channels, 1, 1),
        "w_scale": scales,
        "w_zero": np.zeros(p.out_channels, np.int8),
        "y_scale": np.float32(0.02 * p.channels**0.5),
        "y_zero": np.uint8(128),
        "b": np.zeros(p.out_channels, np.int32),
    }
    node = helper.make_node("QLinearConv", ["x", *constants], ["y"], kernel_shape=[1, 1])
    kind = onnx.TensorProto.UINT8
    graph = helper.make_graph(
        [node],
        "dense",
        [helper.make_tensor_value_info("x", kind, [1, p.channels, p.height, p.width])],
        [helper.make_tensor_value_info("y", kind, [1, p.out_channels, p.height, p.width])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feed = {"x": (job.x.view(np.uint8) ^ 128)[None]}
    return lambda: session.run(None, feed)


def published_layer(job: Job) -> Callable[[], object]:
    """The WCC layer as its authors run it, in float32: strided convolutions for the Haar transform, top-k of
    the channels' summed squares, 1x1 convolution of the kept positions, transposed convolutions back."""
    import torch
    from torch.nn import functional

    p = job.plan
    levels, channels, outputs = p.parameters.levels, p.channels, p.out_channels
    signs = torch.tensor([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]], dtype=torch.float32)
    filters = (signs / 2).reshape(4, 1, 2, 2)
    analysis, synthesis = filters.repeat(channels, 1, 1, 1), filters.repeat(outputs, 1, 1, 1)
    weights = torch.from_numpy(p.weights.astype(np.float32))
    x = torch.from_numpy(job.x.astype(np.float32))[None]
    bottom, right = p.padded_height - p.height, p.padded_width - p.width
    half_range = float(1 << (p.parameters.act_bits - 1)) - 1
    size = (1, outputs, p.padded_height, p.padded_width)

    def forward(image: Any) -> Any:
        layout = image.clone()
        height, width = image.shape[2:]
        for _ in range(levels):
            bands = functional.conv2d(layout[:, :, :height, :width], analysis, stride=2, groups=channels)
            bands = bands.reshape(1, channels, 4, height // 2, width // 2)
            height, width = height // 2, width // 2
            layout[:, :, :height, :width] = bands[:, :, 0]
            layout[:, :, :height, width : 2 * width] = bands[:, :, 1]
            layout[:, :, height : 2 * height, :width] = bands[:, :, 2]
            layout[:, :, height : 2 * height, width : 2 * width] = bands[:, :, 3]
        return layout

    def inverse(layout: Any) -> Any:
        for level in range(levels, 0, -1):
            height, width = size[2] >> level, size[3] >> level
            quarters = [
                layout[:, :, top : top + height, left : left + width]
                for top in (0, height)
                for left in (0, width)
            ]
            bands = torch.stack(quarters, 2).reshape(1, 4 * outputs, height, width)
            pixels = functional.conv_transpose2d(bands, synthesis, stride=2, groups=outputs)
            layout[:, :, : 2 * height, : 2 * width] = pixels
        return layout

    def call() -> Any:
        with torch.inference_mode():
            flat = forward(functional.pad(x, (0, right, 0, bottom))).reshape(channels, -1)
            kept = torch.topk(flat.square().sum(0), p.kept).indices
            gathered = flat[:, kept]
            step = gathered.abs().max() / half_range
            words = torch.clamp(torch.round(gathered / step), -half_range, half_range) * step
            mixed = torch.zeros(outputs, flat.shape[1])
            mixed[:, kept] = functional.conv1d(words[None], weights[:, :, None])[0]
            return inverse(mixed.reshape(size))[:, :, : p.height, : p.width]

    return call
