"""Spatial rules against figures calculated elsewhere."""

from dataclasses import replace

import pytest

from stillflow.boards.targets.rules import spatial_cycles, spatial_utilisation
from stillflow.compiler.workload import load_workload
from stillflow.hw.config import Dataflow
from stillflow.hw.layer import ConvShape
from stillflow.hw.presets import EDGE16


@pytest.mark.parametrize(
    ("network", "ws", "os"),
    [
        ("alexnet", 99.8, 97.6),
        ("vgg16", 99.9, 99.4),
        ("googlenet", 99.2, 95.6),
        ("resnet18", 99.4, 92.3),
        ("resnet50", 99.7, 92.6),
        ("mobilenetv1", 54.2, 64.7),
        ("mobilenetv2", 33.9, 45.5),
    ],
)
def test_networks_have_the_utilisation_that_was_calculated_elsewhere(network, ws, os):
    entries = load_workload(network).entries
    shapes = [e.shape for e in entries if e.type == "conv" and isinstance(e.shape, ConvShape)]
    for flow, wanted in ((Dataflow.WEIGHT_STATIONARY, ws), (Dataflow.OUTPUT_STATIONARY, os)):
        share = spatial_utilisation(shapes, replace(EDGE16, dataflow=flow))
        assert 100 * share == pytest.approx(wanted, abs=0.051)


@pytest.mark.parametrize(("network", "wanted"), [("alexnet", 88.2), ("vgg16", 92.7)])
def test_pe_sets_have_the_utilisation_that_was_calculated_elsewhere(network, wanted):
    entries = load_workload(network).entries
    shapes = [e.shape for e in entries if e.type == "conv" and isinstance(e.shape, ConvShape)]
    share = spatial_utilisation(shapes, replace(EDGE16, dataflow=Dataflow.ROW_STATIONARY))
    assert 100 * share == pytest.approx(wanted, abs=0.051)


def test_a_remainder_costs_a_whole_pass():
    config = replace(EDGE16, dataflow=Dataflow.NO_LOCAL_REUSE)
    shape = ConvShape(C=17, M=17, H=3, W=5)
    assert spatial_cycles(shape, config) == 2 * 2 * 15
