"""Additions of two tensors, on words or between DequantizeLinear and QuantizeLinear."""

from dataclasses import dataclass

from stillflow.compiler.frontend import affine
from stillflow.compiler.frontend.builder import NetworkBuilder
from stillflow.compiler.frontend.endings import join
from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import Output, Real, Source, Words
from stillflow.compiler.graph import Joined
from stillflow.hw.residual import encode_join


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


def lower_add(lowering: Lowering, node: Node) -> None:
    """Add: words in, a real value out; or a constant, see `affine`."""
    if any(affine.is_constant(lowering.value(node, index)) for index in (0, 1)):
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
    shapes = [lowering.builder.tensors[words.tensor].shape for words in (left, right)]
    if left.shape != right.shape or shapes[0] != shapes[1]:
        raise node.error(
            f"operands must have one shape, not {list(left.shape)} and {list(right.shape)}"
        )
    return Sum(name=node.name, operands=(left.tensor, right.tensor))


def lower_sum(lowering: Lowering, node: Node) -> None:
    """Sum of two tensors."""
    if len(node.inputs) != 2:
        raise node.error(f"there must be two operands, not {len(node.inputs)}: chain additions")
    lower_add(lowering, node)


HANDLERS = {
    ("", "Add"): lower_add,
    ("", "Sum"): lower_sum,
    ("com.microsoft", "QLinearAdd"): lower_qlinear_add,
}
