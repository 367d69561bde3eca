"""Fully connected layers: Gemm, MatMul, and their quantised forms QGemm and QLinearMatMul."""

import numpy as np

from stillflow.compiler.frontend.convolution import Convolution
from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import Real, Words
from stillflow.compiler.frontend.weights import (
    Bias,
    Filters,
    integer_bias,
    real_bias,
    real_filters,
    signed_filters,
)
from stillflow.hw.layer import ConvShape


def lower_gemm(lowering: Lowering, node: Node) -> None:
    """Gemm: words in, a real value out."""
    transposed = _check_gemm(node)
    ifmap = lowering.words(node, 0)
    filters = real_filters(lowering, node, 1, axis=0 if transposed else 1)
    held = lowering.builder.quantisation(ifmap.tensor)
    if node.has(2):
        node.require("beta", 1.0)
    bias = real_bias(lowering, node, 2, held, filters)
    _produce(lowering, node, _product(lowering, node, ifmap, filters, bias, transposed))


def lower_matmul(lowering: Lowering, node: Node) -> None:
    """MatMul with constant weights behind it: words in, a real value out."""
    ifmap = lowering.words(node, 0)
    filters = real_filters(lowering, node, 1, axis=1)
    bias = Bias(steps=np.zeros(filters.scale.size))
    _produce(lowering, node, _product(lowering, node, ifmap, filters, bias, False))


def lower_qgemm(lowering: Lowering, node: Node) -> None:
    """QGemm of ONNX Runtime: words in, words out."""
    transposed = _check_gemm(node)
    if not node.has(7):
        raise node.error("y_scale must be given, so that the output is quantised")
    ifmap = lowering.words(node, 0)
    lowering.builder.settle(ifmap.tensor, lowering.quantisation(node, 1, 2))
    axis = 0 if transposed else 1
    filters = signed_filters(node, node.input(3), lowering.scaled(node, 3, 4, 5, axis), axis)
    bias = integer_bias(lowering, node, 6, filters.scale.size)
    source = _product(lowering, node, ifmap, filters, bias, transposed)
    _quantise(lowering, node, source, 7, 8)


def lower_qlinear_matmul(lowering: Lowering, node: Node) -> None:
    """QLinearMatMul with constant weights behind it: words in, words out."""
    ifmap = lowering.words(node, 0)
    lowering.builder.settle(ifmap.tensor, lowering.quantisation(node, 1, 2))
    filters = signed_filters(node, node.input(3), lowering.scaled(node, 3, 4, 5, 1), 1)
    bias = Bias(steps=np.zeros(filters.scale.size))
    source = _product(lowering, node, ifmap, filters, bias, False)
    _quantise(lowering, node, source, 6, 7)


def _check_gemm(node: Node) -> bool:
    node.require("alpha", 1.0)
    node.require("transA", 0)
    return bool(node.integer("transB", 0))


def _product(
    lowering: Lowering,
    node: Node,
    ifmap: Words,
    filters: Filters,
    bias: Bias,
    transposed: bool,
) -> Convolution:
    """Fully connected layer over the whole plane: a flatten in between is only a view."""
    N, C, H, W = lowering.builder.tensors[ifmap.tensor].shape
    if ifmap.shape != (N, C * H * W):
        raise node.error(f"ifmap must be [{N}, {C * H * W}], not {list(ifmap.shape)}")
    matrix = filters.words if transposed else filters.words.T
    if matrix.ndim != 2 or matrix.shape[1] != C * H * W:
        raise node.error(
            f"weights must take {C * H * W} inputs, not be {list(filters.words.shape)}"
        )
    M = matrix.shape[0]
    words = np.ascontiguousarray(matrix).reshape(M, C, H, W)
    return Convolution(
        name=node.name,
        op="fc",
        shape=ConvShape(N=N, C=C, M=M, H=H, W=W, R=H, S=W),
        ifmap=ifmap.tensor,
        filters=Filters(words=words, scale=filters.scale),
        bias=bias,
        step=lowering.builder.quantisation(ifmap.tensor).scale,
    )


def _produce(lowering: Lowering, node: Node, source: Convolution) -> None:
    lowering.produce(node, (source.shape.N, source.shape.M), source)


def _quantise(
    lowering: Lowering, node: Node, source: Convolution, scale: int, zero_point: int
) -> None:
    real = Real(name=node.output, shape=(source.shape.N, source.shape.M), source=source)
    lowering.quantise(node, real, lowering.quantisation(node, scale, zero_point))


HANDLERS = {
    ("", "Gemm"): lower_gemm,
    ("", "MatMul"): lower_matmul,
    ("", "QLinearMatMul"): lower_qlinear_matmul,
    ("com.microsoft", "QGemm"): lower_qgemm,
}
