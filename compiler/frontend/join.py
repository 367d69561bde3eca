"""Sums, differences and products of two tensors, or of one and a constant."""

from dataclasses import dataclass, replace
from math import floor, log2

import numpy as np

from stillflow.compiler.endings import Joined
from stillflow.compiler.frontend import affine
from stillflow.compiler.frontend.builder import NetworkBuilder, Quantisation
from stillflow.compiler.frontend.endings import join, tabulate
from stillflow.compiler.frontend.entries import entries_of
from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import Output, Real, Source, Words
from stillflow.hw.residual import encode_join

WORDS = 127  # largest rescaled word of a product


@dataclass(frozen=True, kw_only=True)
class Sum(Source):
    """Two tensors whose sum waits for its quantisation.

    Parameters
    ----------
    name : str
        The node's.
    operands : tuple[str, str]
        Tensors of the same shape.
    """

    name: str
    operands: tuple[str, str]

    def store(self, builder: NetworkBuilder, output: Output) -> str:
        """Let the layer of the later operand add the other one."""
        shape = builder.tensors[self.operands[0]].shape
        low, high = output.bounds

        def make(own: str, residual: str) -> Joined:
            scales = encode_join(
                *(
                    builder.quantisation(name).scale / output.quantisation.scale
                    for name in (own, residual)
                )
            )
            return Joined(
                op="add", own=own, residual=residual, own_scale=scales[0],
                residual_scale=scales[1], shift=scales[2], act_min=low, act_max=high,
            )  # fmt: skip

        tensor = builder.add_tensor(output.name, shape, output.quantisation)
        join(builder, self.name, self.operands, tensor, make, output.fused)
        return tensor


@dataclass(frozen=True, kw_only=True)
class Product(Source):
    """Two tensors whose product waits for its quantisation.

    The first one's words are looked up, so that a product of words needs nothing but a shift: that
    rounds once more. Parameters are those of `Sum`.
    """

    name: str
    operands: tuple[str, str]

    def store(self, builder: NetworkBuilder, output: Output) -> str:
        """Rescale the first operand by table, and multiply it with the other."""
        left, right = (builder.quantisation(name) for name in self.operands)
        shape = builder.tensors[self.operands[0]].shape
        most, other = (
            max(abs(word - held.zero_point) for word in held.range) for held in (left, right)
        )
        step = left.scale * right.scale / output.quantisation.scale  # of the product, in words
        shift = floor(log2(WORDS / (step * most)))
        if not 0 <= shift < 64:
            raise ValueError(f"a product in steps of {step:.3g} cannot be made of 8-bit words")
        scaled = Quantisation(
            dtype="int8", scale=float(np.float32(left.scale / (step * 2.0**shift))), zero_point=0
        )
        factor = builder.add_tensor(f"{output.name}/factor", shape, scaled)
        entries = entries_of(left, scaled, lambda x: x)
        tabulate(builder, f"{self.name}/factor", self.operands[0], factor, entries, ())
        low, high = output.bounds
        tolerance = floor(other * 2.0 ** -(shift + 1) + 1)

        def make(own: str, residual: str) -> Joined:
            return Joined(
                op="mul", own=own, residual=residual, own_scale=0, residual_scale=0, shift=shift,
                act_min=low, act_max=high, tolerance=tolerance,
            )  # fmt: skip

        tensor = builder.add_tensor(output.name, shape, output.quantisation)
        join(builder, self.name, (factor, self.operands[1]), tensor, make, output.fused)
        return tensor


def lower_multiply(lowering: Lowering, node: Node) -> None:
    """Mul: words in, a real value out."""
    if not _both_computed(lowering, node):
        affine.lower_multiply(lowering, node)
        return
    left, right = lowering.words(node, 0), lowering.words(node, 1)
    _check(lowering, node, left, right)
    source = Product(name=node.name, operands=(left.tensor, right.tensor))
    lowering.produce(node, left.shape, source)


def lower_subtract(lowering: Lowering, node: Node) -> None:
    """Sub: words in, a real value out; the words of the second operand change their sign."""
    if not _both_computed(lowering, node):
        affine.lower_subtract(lowering, node)
        return
    left, right = lowering.words(node, 0), lowering.words(node, 1)
    _check(lowering, node, left, right)
    builder = lowering.builder
    held = builder.quantisation(right.tensor)
    turned = replace(held, zero_point=sum(held.range) - held.zero_point)
    negative = builder.add_tensor(
        f"{node.output}/negative", builder.tensors[right.tensor].shape, turned
    )
    entries = entries_of(held, turned, lambda x: -x)
    tabulate(builder, f"{node.name}/negative", right.tensor, negative, entries, ())
    source = Sum(name=node.name, operands=(left.tensor, negative))
    lowering.produce(node, left.shape, source)


def _both_computed(lowering: Lowering, node: Node) -> bool:
    return not any(affine.is_constant(lowering.value(node, index)) for index in (0, 1))


def lower_add(lowering: Lowering, node: Node) -> None:
    """Add: words in, a real value out; or a constant, see `affine`."""
    if not _both_computed(lowering, node):
        affine.lower_add(lowering, node)
        return
    left, right = lowering.words(node, 0), lowering.words(node, 1)
    lowering.produce(node, left.shape, _sum(lowering, node, left, right))


def lower_qlinear_add(lowering: Lowering, node: Node) -> None:
    """QLinearAdd: words in, words out."""
    left, right = lowering.words(node, 0), lowering.words(node, 3)
    lowering.builder.settle(left.tensor, lowering.quantisation(node, 1, 2))
    lowering.builder.settle(right.tensor, lowering.quantisation(node, 4, 5))
    source = _sum(lowering, node, left, right)
    real = Real(name=node.output, shape=left.shape, source=source)
    lowering.quantise(node, real, lowering.quantisation(node, 6, 7))


def _sum(lowering: Lowering, node: Node, left: Words, right: Words) -> Sum:
    _check(lowering, node, left, right)
    return Sum(name=node.name, operands=(left.tensor, right.tensor))


def _check(lowering: Lowering, node: Node, left: Words, right: Words) -> None:
    shapes = [lowering.builder.tensors[words.tensor].shape for words in (left, right)]
    if left.shape != right.shape or shapes[0] != shapes[1]:
        raise node.error(
            f"operands must have one shape, not {list(left.shape)} and {list(right.shape)}"
        )


def lower_sum(lowering: Lowering, node: Node) -> None:
    """Sum of two tensors, or of one."""
    if len(node.inputs) == 1:
        lowering.bind(node.output, lowering.value(node, 0))
        return
    if len(node.inputs) > 2:
        raise node.error(f"there must be two operands, not {len(node.inputs)}: chain additions")
    lower_add(lowering, node)


HANDLERS = {
    ("", "Add"): lower_add,
    ("", "Sum"): lower_sum,
    ("", "Mul"): lower_multiply,
    ("", "Sub"): lower_subtract,
    ("com.microsoft", "QLinearAdd"): lower_qlinear_add,
}
