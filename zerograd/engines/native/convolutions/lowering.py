"""Convolutions in a graph."""

from __future__ import annotations

from zerograd.engines.native.convolutions import geometry
from zerograd.engines.native.convolutions.blocks import Operand
from zerograd.engines.native.convolutions.geometry import Shape3
from zerograd.engines.native.convolutions.plan import Stencil
from zerograd.engines.native.convolutions.plan_weights import WeightGradient
from zerograd.engines.native.convolutions.winograd import plan, plan_gradient
from zerograd.engines.native.convolutions.winograd.plan import Windows
from zerograd.engines.native.convolutions.winograd.plan_gradient import Gradient
from zerograd.engines.native.lower import Lowering, special
from zerograd.ir.graph import Node
from zerograd.shapes import Shape, contiguous_strides

TYPES = {"float32": "float", "float64": "double", "float16": "half", "bfloat16": "bfloat"}
MOST_AXES = 3


def _possible(node: Node) -> bool:
    """Whether there is a kernel: a float type, one to three axes, and something to compute."""
    sizes = (*node.shape, *node.inputs[0].shape, *node.inputs[1].shape)
    return node.dtype.name in TYPES and 3 <= node.rank <= 2 + MOST_AXES and 0 not in sizes


def _axes(node: Node, kernel: Shape, source: Shape, target: Shape) -> list[tuple[int, int, int, int, int, int]]:
    """For each of three axes: source, target, taps, stride, padding before, dilation."""
    attributes = node.attributes
    before = tuple(one for one, _ in attributes["padding"])
    found = list(zip(source, target, kernel, attributes["stride"], before, attributes["dilation"], strict=True))
    return [(1, 1, 1, 1, 0, 1)] * (MOST_AXES - len(found)) + found


@special("conv", "conv_input")
def _conv(lowering: Lowering, node: Node) -> bool:
    if not _possible(node):
        return False
    x, w = node.inputs
    groups = node.attributes["groups"]
    features, channels = w.shape[0] // groups, w.shape[1]
    feature, channel, *kernel = _strides(w.shape)
    group = features * feature
    across, along = geometry.depth_forward, geometry.forward
    if node.op.name == "conv_input":
        across, along = geometry.depth_backward, geometry.backward
        features, channels, feature, channel = channels, features, channel, feature
    depth, rows, columns = _axes(node, w.shape[2:], x.shape[2:], node.shape[2:])
    shape = Shape3(x.shape[0], groups, channels, features, across(*depth), along(*rows), along(*columns))
    type = TYPES[node.dtype.name]
    source, weights = (Operand(lowering.whole(one), type) for one in node.inputs)
    target = lowering.new_window(node.type)
    kind = Windows if plan.pays(shape, type) else Stencil
    strides = group, feature, channel, *kernel
    made = kind(lowering, shape, source, weights, Operand(target, type), strides, node.op.name == "conv_input")
    lowering.steps.extend(made.instructions())
    lowering.place(node, target)
    return True


def _strides(shape: Shape) -> Shape:
    return contiguous_strides((*shape[:2], *(1,) * (2 + MOST_AXES - len(shape)), *shape[2:]))


@special("conv_weight")
def _conv_weight(lowering: Lowering, node: Node) -> bool:
    if not _possible(node):
        return False
    x, y = node.inputs
    groups = node.attributes["groups"]
    depth, rows, columns = _axes(node, node.attributes["kernel"], x.shape[2:], y.shape[2:])
    shape = Shape3(
        x.shape[0], groups, x.shape[1] // groups, y.shape[1] // groups,
        geometry.depth_forward(*depth), geometry.forward(*rows), geometry.forward(*columns),
    )  # fmt: skip
    type = TYPES[node.dtype.name]
    source, other = (Operand(lowering.whole(one), type) for one in node.inputs)
    target = lowering.new_window(node.type)
    kind = Gradient if plan_gradient.pays(shape, type) else WeightGradient
    lowering.steps.extend(kind(lowering, shape, source, other, Operand(target, type)).instructions())
    lowering.place(node, target)
    return True
