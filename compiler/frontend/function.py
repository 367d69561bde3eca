"""Functions of one activation, by table: each word has its own entry."""

from dataclasses import dataclass
from math import erf, inf

import numpy as np

from stillflow.compiler.frontend.builder import NetworkBuilder
from stillflow.compiler.frontend.endings import tabulate
from stillflow.compiler.frontend.entries import Function, Reals
from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import Output, Real, Source, Words


@dataclass(frozen=True, kw_only=True, eq=False)
class Tabulated(Source):
    """A function of words, whose values wait for their quantisation.

    Parameters
    ----------
    name : str
        The node's.
    ifmap : str
        Tensor that it reads.
    function : callable
        Of real values.
    """

    name: str
    ifmap: str
    function: Function

    def store(self, builder: NetworkBuilder, output: Output) -> str:
        """Look the words up in the layer that computes them, or in a pass of its own."""
        shape = builder.tensors[self.ifmap].shape
        entries = output.entries(builder.quantisation(self.ifmap), self.function)
        tensor = builder.add_tensor(output.name, shape, output.quantisation)
        tabulate(builder, self.name, self.ifmap, tensor, entries, output.fused)
        return tensor


def _sigmoid(x: Reals) -> Reals:
    return 1 / (1 + np.exp(-x))


def _gelu(x: Reals) -> Reals:
    return x * (1 + np.vectorize(erf)(x / np.sqrt(2))) / 2


def _leaky(slope: float) -> Function:
    return lambda x: np.where(x < 0, slope * x, x)


#: Functions that have no attributes.
_PLAIN: dict[str, Function] = {
    "Abs": np.abs,
    "Ceil": np.ceil,
    "Cos": np.cos,
    "Erf": np.vectorize(erf),
    "Exp": np.exp,
    "Floor": np.floor,
    "HardSwish": lambda x: x * (x / 6 + 0.5).clip(0, 1),
    "Log": np.log,
    "Mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "Neg": np.negative,
    "Round": np.rint,
    "Sigmoid": _sigmoid,
    "Sign": np.sign,
    "Sin": np.sin,
    "Softplus": lambda x: np.log1p(np.exp(x)),
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Sqrt": np.sqrt,
    "Tanh": np.tanh,
}


def _with_attributes(node: Node) -> Function:
    """Read a function's attributes; defaults are ONNX's."""
    alpha = node.number("alpha", {"LeakyRelu": 0.01, "HardSigmoid": 0.2}.get(node.op, 1.0))
    if node.op == "LeakyRelu":
        return _leaky(alpha)
    if node.op == "HardSigmoid":
        beta = node.number("beta", 0.5)
        return lambda x: (alpha * x + beta).clip(0, 1)
    if node.op == "Elu":
        return lambda x: np.where(x < 0, alpha * np.expm1(x), x)
    if node.op == "Celu":
        return lambda x: np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(x / alpha))
    if node.op == "ThresholdedRelu":
        return lambda x: np.where(x > alpha, x, 0)
    if node.op == "Selu":
        alpha = node.number("alpha", 1.67326319217681884765625)
        gamma = node.number("gamma", 1.05070102214813232421875)
        return lambda x: gamma * np.where(x < 0, alpha * np.expm1(x), x)
    assert node.op == "Gelu"
    if node.text("approximate", "none") == "tanh":
        return lambda x: x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2
    return _gelu


_ATTRIBUTED = ("Celu", "Elu", "Gelu", "HardSigmoid", "LeakyRelu", "Selu", "ThresholdedRelu")


def lower_function(lowering: Lowering, node: Node) -> None:
    """Lower a function without attributes: words in, a real value out."""
    produce(lowering, node, _PLAIN[node.op])


def lower_attributed(lowering: Lowering, node: Node) -> None:
    """Lower a function with attributes: words in, a real value out."""
    produce(lowering, node, _with_attributes(node))


def lower_prelu(lowering: Lowering, node: Node) -> None:
    """PRelu with one slope: words in, a real value out."""
    slope = lowering.array(node, 1)
    if slope.size != 1:
        raise node.error(f"slope must be one number, not {list(slope.shape)}")
    produce(lowering, node, _leaky(float(slope.reshape(-1)[0])))


def produce(lowering: Lowering, node: Node, function: Function, index: int = 0) -> None:
    """Bind a node's output to a function of one of its inputs."""
    words = lowering.words(node, index)
    source = Tabulated(name=node.name, ifmap=words.tensor, function=function)
    lowering.produce(node, words.shape, source)


def lower_qlinear_function(lowering: Lowering, node: Node) -> None:
    """QLinearSigmoid and QLinearLeakyRelu: words in, words out."""
    words: Words = lowering.words(node, 0)
    lowering.builder.settle(words.tensor, lowering.quantisation(node, 1, 2))
    function = _sigmoid if node.op == "QLinearSigmoid" else _leaky(node.number("alpha", 0.01))
    source = Tabulated(name=node.name, ifmap=words.tensor, function=function)
    real = Real(name=node.output, shape=words.shape, source=source, low=-inf, high=inf)
    lowering.quantise(node, real, lowering.quantisation(node, 3, 4))


HANDLERS = {
    **{("", op): lower_function for op in _PLAIN},
    **{("", op): lower_attributed for op in _ATTRIBUTED},
    ("", "PRelu"): lower_prelu,
    ("com.microsoft", "QLinearSigmoid"): lower_qlinear_function,
    ("com.microsoft", "QLinearLeakyRelu"): lower_qlinear_function,
}
