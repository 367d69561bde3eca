"""Local response normalisation by tables, a sum over channels and a product, in integers.

``y = x / (k + alpha / n * sum of x^2 over n channels)^beta`` takes two passes. The first looks the
squares of the words up. The second sums them over the channels (a 1x1 convolution with ones),
looks the factor up that belongs to their mean, and multiplies it with the words. Squares, means and
factors have 8 bits: how far the words may be from those of real arithmetic is worked out here.
"""

from dataclasses import dataclass
from math import floor, log2

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.endings import Joined, Table
from stillflow.compiler.frontend.builder import NetworkBuilder, Quantisation
from stillflow.compiler.frontend.endings import add_table
from stillflow.compiler.frontend.entries import entries_of
from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import Output, Source
from stillflow.compiler.graph import ConvLayer
from stillflow.hw.layer import ConvShape

BOUND_MOST = 4  # steps from real arithmetic: beyond, 8 bits are too few
_WORDS = 255  # largest square, mean and factor


@dataclass(frozen=True, kw_only=True)
class Normalisation(Source):
    """Normalised words that wait for their quantisation.

    Parameters
    ----------
    name : str
        The node's.
    ifmap : str
        Tensor that it reads.
    size : int
        Channels of a window.
    alpha, beta, bias : float
        As in ONNX.
    """

    name: str
    ifmap: str
    size: int
    alpha: float
    beta: float
    bias: float

    def store(self, builder: NetworkBuilder, output: Output) -> str:
        """Add the two passes."""
        held = builder.quantisation(self.ifmap)
        N, C, H, W = shape = builder.tensors[self.ifmap].shape
        largest = max(abs(word - held.zero_point) for word in held.range) * held.scale
        step = float(np.float32(largest**2 / _WORDS))
        squares = Quantisation(dtype="uint8", scale=step, zero_point=0)
        names = {part: f"{output.name}/{part}" for part in ("square", "mean", "factor")}
        square = builder.add_tensor(names["square"], shape, squares)
        self._square(builder, square, held, squares)
        mean = builder.add_tensor(names["mean"], shape, squares)
        entries, shift = self._factors(step, held.scale / output.quantisation.scale)
        factor = builder.add_tensor(
            names["factor"], shape, Quantisation(dtype="uint8", scale=2.0**-shift, zero_point=0)
        )
        low, high = output.bounds
        joined = Joined(
            op="mul", own=factor, residual=self.ifmap, own_scale=0, residual_scale=0,
            shift=shift, act_min=low, act_max=high,
            tolerance=self._bound(held, step, entries, shift),
        )  # fmt: skip
        ofmap = builder.add_tensor(output.name, shape, output.quantisation)
        builder.add_layer(
            ConvLayer(
                name=self.name, op="lrn", shape=ConvShape(N=N, C=C, M=C, H=H, W=W), ifmap=square,
                ofmap=ofmap, filters=self._window(C), bias=np.zeros(C, np.int64),
                scale=np.full(C, 1 / self.size, np.float32), act_min=0, act_max=_WORDS,
                table=Table(index=mean, entries=entries), joined=joined, fused=output.fused,
            )
        )  # fmt: skip
        return ofmap

    def _square(
        self, builder: NetworkBuilder, square: str, held: Quantisation, squares: Quantisation
    ) -> None:
        entries = entries_of(held, squares, np.square)
        add_table(builder, f"{self.name}/square", self.ifmap, square, entries)

    def _window(self, channels: int) -> NDArray[np.int8]:
        """Ones where a channel belongs to another's window: int8[C, C, 1, 1]."""
        distance = np.arange(channels)[None] - np.arange(channels)[:, None]
        below, above = (self.size - 1) // 2, self.size // 2
        return ((distance >= -below) & (distance <= above)).astype(np.int8)[:, :, None, None]

    def _factor(self, means: NDArray[np.float64], step: float) -> NDArray[np.float64]:
        return (self.bias + self.alpha * np.maximum(means, 0) * step) ** -self.beta

    def _factors(self, step: float, ratio: float) -> tuple[NDArray[np.uint8], int]:
        """Words of the factor for each mean, in ofmap steps for an ifmap step, and their shift."""
        real = self._factor(np.arange(256.0), step) * ratio
        shift = floor(log2(_WORDS / real.max()))
        if not 0 <= shift < 64:
            raise ValueError(f"factors up to {real.max():.3g} cannot be 8-bit words")
        return np.rint(real * 2.0**shift).astype(np.uint8), shift

    def _bound(
        self, held: Quantisation, step: float, entries: NDArray[np.uint8], shift: int
    ) -> int:
        """Work out by how many steps a word may differ from that of real arithmetic.

        A mean is off by half a step itself and by half a step of the squares it is made of; it is
        no smaller than the word's own square over the window's size. The word is rounded, and the
        other side's, too.

        Raises
        ------
        ValueError
            If they are too many.
        """
        words = np.arange(held.range[0], held.range[1] + 1.0) - held.zero_point
        least = (words * held.scale) ** 2 / self.size / step
        means = np.arange(256.0)
        nearest = np.maximum(means - 1, least[:, None])
        real = self._factor(np.stack([nearest, np.maximum(means + 1, nearest)]), step)
        ratio = 2.0**-shift * entries.max() / self._factor(np.zeros(1), step)
        off = np.abs(real * ratio - entries * 2.0**-shift).max(axis=0) + 2.0 ** -(shift + 1)
        possible = means >= np.floor(least)[:, None] - 1
        bound = floor((np.abs(words)[:, None] * off * possible).max() + 1)
        if bound > BOUND_MOST:
            raise ValueError(
                f"with alpha {self.alpha:.3g} and real values up to "
                f"{np.abs(words).max() * held.scale:.3g}, 8-bit tables are up to {bound} steps "
                f"off, more than {BOUND_MOST}"
            )
        return bound


def lower_lrn(lowering: Lowering, node: Node) -> None:
    """LRN: words in, a real value out."""
    words = lowering.words(node, 0)
    source = Normalisation(
        name=node.name, ifmap=words.tensor, size=node.integer("size", 0),
        alpha=node.number("alpha", 1e-4), beta=node.number("beta", 0.75),
        bias=node.number("bias", 1.0),
    )  # fmt: skip
    if source.size < 1 or source.bias <= 0 or source.alpha < 0:
        raise node.error("size and bias must be positive, alpha must not be negative")
    lowering.produce(node, words.shape, source)


HANDLERS = {("", "LRN"): lower_lrn}
