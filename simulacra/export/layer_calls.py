"""What the layers of networks are in a program: those with weights, and those that look at a window of an image."""

from __future__ import annotations

from typing import Any

import torch

from simulacra.export.calls import Call, Step, Unknown


def _pair(value: Any) -> tuple[int, int]:
    first, second = (value, value) if isinstance(value, int) else (value * 2 if len(value) == 1 else value)[:2]
    return int(first), int(second)


def _layer(call: Call, kind: str, settings: dict[str, Any]) -> list[Step]:
    bias = call.get(2, "bias")
    inputs = [call.tensor(0), call.get(1, "weight"), *([] if bias is None else [bias])]
    return [(kind, inputs, settings)]


def linear(call: Call) -> list[Step]:
    if call.tensor(0).ndim != 2:
        raise Unknown("of anything but vectors")
    return _layer(call, "linear", {})


def conv(call: Call) -> list[Step]:
    padding = call.get(4, "padding", 0)
    if isinstance(padding, str):
        raise Unknown(f"with padding '{padding}'")
    dilation, groups = call.get(5, "dilation", 1), call.get(6, "groups", 1)
    settings = {"stride": _pair(call.get(3, "stride", 1)), "padding": _pair(padding)}
    return _layer(call, "conv", settings | {"dilation": _pair(dilation), "groups": int(groups)})


def conv_transpose(call: Call) -> list[Step]:
    if call.get(6, "groups", 1) != 1 or _pair(call.get(7, "dilation", 1)) != (1, 1):
        raise Unknown("with groups or a dilation")
    return _layer(call, "conv_transpose", {
        "stride": _pair(call.get(3, "stride", 1)), "padding": _pair(call.get(4, "padding", 0)),
        "output_padding": _pair(call.get(5, "output_padding", 0)),
    })  # fmt: skip


def batch_norm(call: Call) -> list[Step]:
    if call.get(5, "training", False):
        raise Unknown("by the statistics of the batch")
    mean, variance = call.get(1, "running_mean"), call.get(2, "running_var")
    weight, bias, eps = call.get(3, "weight"), call.get(4, "bias"), call.get(7, "eps", 1e-5)
    with torch._C.DisableTorchFunction():
        scale = (variance.double() + eps).rsqrt() * (1 if weight is None else weight.double())
        shift = (0 if bias is None else bias.double()) - mean.double() * scale
        return [("affine", [call.tensor(0), scale.float(), shift.float()], {})]


def group_norm(call: Call) -> list[Step]:
    weight, bias = call.get(2, "weight"), call.get(3, "bias")
    affine = [] if weight is None else [weight, bias]
    return [
        (
            "group_norm",
            [call.tensor(0), *affine],
            {"groups": call.get(1, "num_groups"), "eps": call.get(4, "eps", 1e-5)},
        )
    ]


def instance_norm(call: Call) -> list[Step]:
    weight, bias = call.get(3, "weight"), call.get(4, "bias")
    affine = [] if weight is None else [weight, bias]
    groups = call.tensor(0).shape[1]
    return [("group_norm", [call.tensor(0), *affine], {"groups": groups, "eps": call.get(7, "eps", 1e-5)})]


def leaky_relu(call: Call) -> list[Step]:
    return [("leaky_relu", [call.tensor(0)], {"slope": float(call.get(1, "negative_slope", 0.01))})]


def pad(call: Call) -> list[Step]:
    margins, mode = tuple(int(n) for n in call.get(1, "pad")), call.get(2, "mode", "constant")
    if mode != "reflect" or len(margins) != 4:
        raise Unknown(f"of mode {mode}")
    return [("pad_reflect", [call.tensor(0)], {"margins": margins})]


def avg_pool(call: Call) -> list[Step]:
    kernel = _pair(call.get(1, "kernel_size"))
    stride = _pair(call.get(2, "stride") or kernel)
    if _pair(call.get(3, "padding", 0)) != (0, 0):
        raise Unknown("with padding")
    return [
        (
            "avg_pool",
            [call.tensor(0)],
            {"kernel": kernel, "stride": stride, "ceil": bool(call.get(4, "ceil_mode", False))},
        )
    ]


def interpolate(call: Call) -> list[Step]:
    mode = call.get(3, "mode", "nearest")
    plain = (
        mode in ("nearest", "bilinear") and not call.kwargs.get("align_corners") and not call.kwargs.get("antialias")
    )
    if not plain or call.tensor(0).ndim != 4:
        raise Unknown(f"of mode {mode}, or antialiased")
    return [("resize", [call.tensor(0)], {"size": tuple(call.results[0].shape[2:]), "mode": mode})]


def zoomed(call: Call) -> list[Step]:
    factor = float(call.args[1])
    return [None] if factor == 1 else [("zoom", [call.tensor(0)], {"factor": factor})]


def pixel_shuffle(call: Call) -> list[Step]:
    return [("pixel_shuffle", [call.tensor(0)], {"factor": int(call.get(1, "upscale_factor"))})]


def pixel_unshuffle(call: Call) -> list[Step]:
    return [("pixel_unshuffle", [call.tensor(0)], {"factor": int(call.get(1, "downscale_factor"))})]
