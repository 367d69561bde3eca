"""Pad: constant words around the planes."""

from dataclasses import dataclass

from stillflow.compiler.frontend.builder import NetworkBuilder
from stillflow.compiler.frontend.convolution import plane_of
from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.pooling import mean_scale
from stillflow.compiler.frontend.values import Output, Source, Words
from stillflow.compiler.graph import PoolLayer
from stillflow.hw.layer import PoolShape


@dataclass(frozen=True, kw_only=True)
class Padded(Source):
    """Words with padding, which wait for their quantisation.

    Parameters
    ----------
    name : str
        The node's.
    shape : PoolShape
        A window of one pixel, and the padding.
    ifmap : str
        Tensor that it reads.
    value : float
        What the padding holds.
    """

    name: str
    shape: PoolShape
    ifmap: str
    value: float

    def store(self, builder: NetworkBuilder, output: Output) -> str:
        """Add a pass that pads; a convolution behind it takes that back."""
        s = self.shape
        held = builder.quantisation(self.ifmap)
        tensor = builder.add_tensor(output.name, (s.N, s.C, s.E, s.F), output.quantisation)
        low, high = output.bounds
        fused = output.fused
        builder.add_layer(
            PoolLayer(
                name=self.name, op="avgpool", shape=s, ifmap=self.ifmap, ofmap=tensor,
                scale=mean_scale(held.scale, output.quantisation.scale, 1),
                fill=held.word(self.value) - held.zero_point, act_min=low, act_max=high,
                fused=fused,
            )
        )  # fmt: skip
        return tensor


def lower_pad(lowering: Lowering, node: Node) -> None:
    """Pad planes with a constant: words in, a real value out."""
    if (mode := node.text("mode", "constant")) != "constant":
        raise node.error(f"mode must be constant, not {mode!r}")
    words: Words = lowering.words(node, 0)
    N, C, H, W = plane_of(lowering, node, words)
    amounts = (
        [int(pad) for pad in lowering.array(node, 1).reshape(-1)]
        if node.has(1)
        else [int(pad) for pad in node.attributes.get("pads", ())]
    )
    axes = [int(axis) % 4 for axis in lowering.array(node, 3).reshape(-1)] if node.has(3) else None
    axes = axes or list(range(4))
    if len(amounts) != 2 * len(axes):
        raise node.error(f"pads must have {2 * len(axes)} numbers, not {len(amounts)}")
    edges = dict.fromkeys(range(4), (0, 0)) | {
        axis: (amounts[i], amounts[i + len(axes)]) for i, axis in enumerate(axes)
    }
    if edges[0] != (0, 0) or edges[1] != (0, 0):
        raise node.error("batch and channels must not be padded")
    value = float(lowering.array(node, 2).reshape(-1)[0]) if node.has(2) else 0.0
    pad = (edges[2][0], edges[3][0], edges[2][1], edges[3][1])
    shape = PoolShape(N=N, C=C, H=H, W=W, R=1, S=1, pad=pad)
    source = Padded(name=node.name, shape=shape, ifmap=words.tensor, value=value)
    lowering.produce(node, (N, C, shape.E, shape.F), source)


HANDLERS = {("", "Pad"): lower_pad}
