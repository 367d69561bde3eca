from stillflow.boards.targets.eyeriss import conv_of, traffic_figures
from stillflow.boards.targets.figure10 import figure10_figures
from stillflow.boards.targets.reports import counted, of_type, reported, utilisation
from stillflow.compiler.counts import layer_macs
from stillflow.compiler.workload import load_workload
from stillflow.hw.csr import Counter
from stillflow.hw.presets import EYERISS


def test_alexnets_later_layers_keep_the_array_as_busy_as_measured():
    table = load_workload("alexnet", batch=4, layers=["CONV3", "CONV5"])
    layers = reported(of_type(table, "conv"), EYERISS)
    assert utilisation(layers, EYERISS) > 88
    assert [layer["spad_reads"] for layer in layers] == [3 * layer["macs"] for layer in layers]


def test_traffic_is_no_less_than_that_of_the_best_tiling():
    figures = list(traffic_figures(lambda what: None))
    assert len(figures) == 2
    assert all(1 <= figure.measured < 2.5 for figure in figures)


def test_every_mac_of_a_network_is_counted_on_the_array():
    for layer, counters in counted(conv_of("alexnet"), EYERISS, "energy"):
        assert counters[Counter.MAC_LANES] >= layer_macs(layer)


def test_a_mac_costs_four_scratchpad_accesses_in_figure_10():
    spads, conv, fc = figure10_figures(lambda what: None)
    # Filters that fill up the last block cost accesses, too.
    assert 4 <= spads.measured <= 4.08
    assert 1 < fc.measured < 1.2
    assert 1 < conv.measured < 2.5
