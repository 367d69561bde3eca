"""Concat and QLinearConcat: tensors become channels of one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stillflow.compiler.frontend.builder import NetworkBuilder
from stillflow.compiler.frontend.endings import make_part, tabulate
from stillflow.compiler.frontend.function import entries_of
from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import Output, Real, Source, Words
from stillflow.compiler.graph import Part


@dataclass(frozen=True, kw_only=True)
class Channels(Source):
    """Tensors side by side, which wait for the quantisation of the whole.

    Parameters
    ----------
    name : str
        The node's.
    parts : tuple[str, ...]
        Tensors that differ in channels only.
    """

    name: str
    parts: tuple[str, ...]

    def store(self, builder: NetworkBuilder, output: Output) -> str:
        """Let every part be written where it belongs.

        Words whose quantisation differs are looked up: in the layer that computes them, or in a
        pass of their own.
        """
        N, _, H, W = builder.tensors[self.parts[0]].shape
        channels = [builder.tensors[part].shape[1] for part in self.parts]
        whole = builder.add_tensor(output.name, (N, sum(channels), H, W), output.quantisation)
        same = output.bounds == output.quantisation.range
        first = 0
        for number, (part, count) in enumerate(zip(self.parts, channels, strict=True)):
            if not (
                same
                and builder.quantisation(part) == output.quantisation
                and make_part(builder, part, Part(whole, first))
            ):
                place = f"{output.name}/{number}"
                entries = entries_of(
                    builder.quantisation(part), replace(output, name=place), lambda real: real
                )
                builder.add_tensor(place, (N, count, H, W), output.quantisation)
                tabulate(builder, f"{self.name}/{number}", part, place, entries, output.fused)
                assert make_part(builder, place, Part(whole, first))
            first += count
        return whole


def lower_concat(lowering: Lowering, node: Node) -> None:
    """Concat along the channels: words in, a real value out; constants are put together here."""
    parts = [lowering.words(node, index) for index in range(len(node.inputs))]
    source, shape = _channels(lowering, node, parts)
    lowering.produce(node, shape, source)


def lower_qlinear_concat(lowering: Lowering, node: Node) -> None:
    """QLinearConcat along the channels: words in, words out."""
    parts = []
    for index in range(2, len(node.inputs), 3):
        words = lowering.words(node, index)
        lowering.builder.settle(words.tensor, lowering.quantisation(node, index + 1, index + 2))
        parts.append(words)
    source, shape = _channels(lowering, node, parts)
    real = Real(name=node.output, shape=shape, source=source)
    lowering.quantise(node, real, lowering.quantisation(node, 0, 1))


def _channels(
    lowering: Lowering, node: Node, parts: Sequence[Words]
) -> tuple[Channels, tuple[int, ...]]:
    rank = len(parts[0].shape)
    axis = node.integer("axis", 1)
    if axis % rank != 1:
        raise node.error(f"axis must be that of the channels, 1, not {axis}")
    for words in parts:
        held = lowering.builder.tensors[words.tensor].shape
        others = (*words.shape[:1], *words.shape[2:])
        if words.shape != held[: len(words.shape)] or others != (
            *parts[0].shape[:1],
            *parts[0].shape[2:],
        ):
            raise node.error(
                f"operands must be [N, C, H, W] as they were computed and differ in C only, not "
                f"{', '.join(str(list(part.shape)) for part in parts)}"
            )
    shape = (parts[0].shape[0], sum(words.shape[1] for words in parts), *parts[0].shape[2:])
    return Channels(name=node.name, parts=tuple(words.tensor for words in parts)), shape


HANDLERS = {
    ("", "Concat"): lower_concat,
    ("com.microsoft", "QLinearConcat"): lower_qlinear_concat,
}
