"""Concat and QLinearConcat: tensors become channels, rows or columns of one."""

from collections.abc import Sequence
from dataclasses import dataclass

from stillflow.compiler.frontend.builder import NetworkBuilder
from stillflow.compiler.frontend.endings import add_table, make_part, tabulate
from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import Output, Real, Source, Words, plane_shape
from stillflow.compiler.graph import Part

#: What the axes of a tensor are in its planes, by their number.
_PLANE_AXES = {1: (1,), 2: (0, 1), 3: (0, 1, 3), 4: (0, 1, 2, 3)}


@dataclass(frozen=True, kw_only=True)
class Joint(Source):
    """Tensors side by side, which wait for the quantisation of the whole.

    Parameters
    ----------
    name : str
        The node's.
    parts : tuple[str, ...]
        Tensors that differ in one axis only.
    axis : int
        That axis: 1 channels, 2 rows, 3 columns.
    """

    name: str
    parts: tuple[str, ...]
    axis: int

    def store(self, builder: NetworkBuilder, output: Output) -> str:
        """Let every part be written where it belongs.

        Words whose quantisation differs are looked up: in the layer that computes them, or in a
        pass of their own.
        """
        shapes = [builder.tensors[part].shape for part in self.parts]
        N, C, H, W = (
            sum(shape[axis] for shape in shapes) if axis == self.axis else shapes[0][axis]
            for axis in range(4)
        )
        whole = builder.add_tensor(output.name, (N, C, H, W), output.quantisation)
        first = 0
        for number, (part, shape) in enumerate(zip(self.parts, shapes, strict=True)):
            place = Part(whole, *(first if axis == self.axis else 0 for axis in (1, 2, 3)))
            first += shape[self.axis]
            agrees = not output.bounded and builder.agrees(part, output.quantisation)
            if agrees and make_part(builder, part, place):
                continue
            made = builder.add_tensor(f"{output.name}/{number}", shape, output.quantisation)
            entries = output.entries(builder.quantisation(part), lambda x: x)
            tabulate(builder, f"{self.name}/{number}", part, made, entries, output.fused)
            if not make_part(builder, made, place):  # its layer joins tensors
                copy = f"{made}/copy"
                builder.add_tensor(copy, shape, output.quantisation)
                same = Output(name=copy, shape=(), quantisation=output.quantisation)
                entries = same.entries(output.quantisation, lambda x: x)
                add_table(builder, f"{self.name}/{number}", made, copy, entries)
                placed = make_part(builder, copy, place)
                assert placed
        return whole


def lower_concat(lowering: Lowering, node: Node) -> None:
    """Concat along channels, rows or columns: words in, a real value out."""
    parts = [lowering.words(node, index) for index in range(len(node.inputs))]
    source, shape = _joint(lowering, node, parts)
    lowering.produce(node, shape, source)


def lower_qlinear_concat(lowering: Lowering, node: Node) -> None:
    """QLinearConcat along channels, rows or columns: words in, words out."""
    parts = []
    for index in range(2, len(node.inputs), 3):
        words = lowering.words(node, index)
        lowering.builder.settle(words.tensor, lowering.quantisation(node, index + 1, index + 2))
        parts.append(words)
    source, shape = _joint(lowering, node, parts)
    real = Real(name=node.output, shape=shape, source=source)
    lowering.quantise(node, real, lowering.quantisation(node, 0, 1))


def _joint(lowering: Lowering, node: Node, parts: Sequence[Words]) -> tuple[Joint, tuple[int, ...]]:
    rank = len(parts[0].shape)
    given = node.integer("axis", 1)
    axis = given % rank
    plane_axis = _PLANE_AXES.get(rank, (0,) * rank)[axis]
    if plane_axis == 0:
        raise node.error(f"axis must be that of channels, rows or columns, not {given}")
    others = {(*words.shape[:axis], *words.shape[axis + 1 :]) for words in parts}
    held = [lowering.builder.tensors[words.tensor].shape for words in parts]
    if len(others) > 1 or held != [plane_shape(words.shape) for words in parts]:
        raise node.error(
            f"operands must be [N, C, H, W] as they were computed and differ in one axis only, not "
            f"{', '.join(str(list(part.shape)) for part in parts)}"
        )
    total = sum(words.shape[axis] for words in parts)
    shape = (*parts[0].shape[:axis], total, *parts[0].shape[axis + 1 :])
    tensors = tuple(words.tensor for words in parts)
    return Joint(name=node.name, parts=tensors, axis=plane_axis), shape


HANDLERS = {
    ("", "Concat"): lower_concat,
    ("com.microsoft", "QLinearConcat"): lower_qlinear_concat,
}
