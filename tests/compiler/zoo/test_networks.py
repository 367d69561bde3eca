"""Architectures of the zoo against the workload tables."""

from functools import cache
from math import prod

import onnx
import pytest
from onnx import shape_inference

from stillflow.compiler.workload import load_workload
from stillflow.compiler.zoo import NETWORKS
from stillflow.hw.layer import ConvShape


@cache
def inferred(name):
    """Shapes of all tensors of a network, and its nodes with weights by name."""
    model = shape_inference.infer_shapes(NETWORKS[name].model(seed=0), strict_mode=True)
    graph = model.graph
    shapes = {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    shapes |= {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    return shapes, {n.name: n for n in graph.node if n.op_type in ("Conv", "Gemm")}


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_that_of_the_table(name):
    shapes, nodes = inferred(name)
    entries = load_workload(name).entries
    assert sorted(nodes) == sorted(entry.name for entry in entries)
    for entry in entries:
        node, shape = nodes[entry.name], entry.shape
        assert isinstance(shape, ConvShape)
        filters = shapes[node.input[1]]
        if entry.type == "fc":
            assert filters == (shape.M, shape.C)
            continue
        assert shapes[node.input[0]] == (1, shape.C, shape.H, shape.W)
        assert shapes[node.output[0]] == (1, shape.M, shape.E, shape.F)
        assert filters == (shape.M, shape.C // shape.G, shape.R, shape.S)
        given = attributes(node)
        assert given["group"] == shape.G
        assert tuple(given["strides"]) == shape.stride


@pytest.mark.parametrize("name", NETWORKS)
def test_macs_and_weights_are_those_of_the_table(name):
    shapes, nodes = inferred(name)
    entries = load_workload(name).entries
    macs = weights = 0
    for node in nodes.values():
        filters, ofmap = shapes[node.input[1]], shapes[node.output[0]]
        macs += prod(filters[1:]) * prod(ofmap)
        weights += prod(filters)
    shapes_of = [entry.shape for entry in entries if isinstance(entry.shape, ConvShape)]
    assert len(shapes_of) == len(entries)
    assert macs == sum(shape.macs for shape in shapes_of)
    assert weights == sum(s.M * (s.C // s.G) * s.R * s.S for s in shapes_of)


def test_the_same_seed_gives_the_same_weights():
    same, again, other = (NETWORKS["lenet5"].model(seed) for seed in (3, 3, 4))
    assert same.SerializeToString() == again.SerializeToString() != other.SerializeToString()
