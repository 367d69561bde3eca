import pytest

from stillflow.compiler.counts import (
    Accesses,
    Compulsory,
    EnergyCosts,
    accesses,
    compulsory_bytes,
    energy,
    layer_macs,
    used_positions,
)
from stillflow.compiler.graph import PoolLayer
from stillflow.compiler.synthetic import synthetic_network
from stillflow.compiler.workload import Workload, WorkloadLayer
from stillflow.hw.csr import Counter
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.presets import TINY
from stillflow.hw.work import OnChip
from tests.networks import ODD, ODD_NLR, ODD_RS, WIDE

OPERANDS = ("ifmap", "filter", "psum")
#: A prime for each counter, so that every product shows where it comes from.
PRIMES = dict(
    zip(Counter, (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53), strict=True)
)


def layer_of(shape, config, kind="conv"):
    entry = WorkloadLayer(name="layer", type=kind, shape=shape)
    table = Workload(name="table", entries=(entry,))
    return synthetic_network(table, config, seed=0, weights=False).layers[0]


@pytest.mark.parametrize(("config", "rows", "columns"), [(TINY, 4, 4), (ODD, 5, 3), (WIDE, 12, 10)])
def test_counters_become_words_by_level_and_operand(config, rows, columns):
    p = PRIMES
    moved = accesses(p, config).as_report()
    assert {key: value for key, value in moved.items() if key.endswith(OPERANDS) and value} == {
        "glb_reads_ifmap": p[Counter.IFMAP_READS],
        "glb_reads_filter": p[Counter.FILTER_READS],
        "glb_reads_psum": p[Counter.PSUM_READS],
        "glb_writes_psum": p[Counter.PSUM_WRITES] + p[Counter.OFMAP_WRITES],
        "glb_fills_ifmap": p[Counter.IFMAP_FILLS],
        "glb_fills_filter": p[Counter.FILTER_FILLS],
        "glb_spills_psum": p[Counter.OFMAP_SPILLS],
        "spad_reads_filter": p[Counter.MAC_LANES] * columns,
        "spad_writes_filter": p[Counter.WEIGHT_SWAPS] * rows * columns,
        "noc_transfers_filter": p[Counter.CHAIN_SHIFTS] * (rows - 1) * columns,
    }


def test_without_local_reuse_every_word_comes_from_the_buffers():
    moved = accesses(PRIMES | {Counter.CHAIN_SHIFTS: 0}, ODD_NLR)  # there are no chains
    assert moved.of("spad_reads") == moved.of("spad_writes") == moved.of("noc_transfers") == 0
    assert moved.glb_reads_filter == PRIMES[Counter.FILTER_READS]
    assert moved.glb_reads_ifmap == PRIMES[Counter.IFMAP_READS]


def test_row_stationary_reads_three_scratchpads_and_writes_one_with_every_product():
    p = PRIMES
    moved = accesses(p, ODD_RS)
    macs = p[Counter.MAC_LANES]
    assert moved.spad_reads_ifmap == moved.spad_reads_filter == moved.spad_reads_psum == macs
    assert moved.spad_writes_psum == macs
    # What fills the scratchpads comes on top.
    assert moved.spad_writes_ifmap == p[Counter.WEIGHT_SWAPS]
    assert moved.spad_writes_filter == p[Counter.CHAIN_SHIFTS]
    sums = p[Counter.PSUM_WRITES] + p[Counter.OFMAP_WRITES]
    assert moved.noc_transfers_psum == sums * (ODD_RS.rows - 1)
    assert moved.noc_transfers_filter == 0


def test_each_kind_is_the_sum_of_its_operands_under_the_names_of_the_interface():
    kinds = ("glb_reads", "glb_writes", "glb_fills", "glb_spills")
    kinds += ("activation_reads", "activation_writes")
    kinds += ("spad_reads", "spad_writes", "noc_transfers")
    names = [f"{kind}_{operand}" for kind in kinds for operand in OPERANDS]
    values = {name: 1 << bit for bit, name in enumerate(names)}
    report = Accesses(**values).as_report()
    assert report == values | {
        kind: sum(values[f"{kind}_{operand}"] for operand in OPERANDS) for kind in kinds
    }


@pytest.mark.parametrize(
    ("shape", "kind", "ifmap", "filters", "ofmap"),
    [
        (ConvShape(C=6, M=8, H=9, W=7, R=3, S=3, pad=(1, 1, 1, 1)), "conv", 378, 432, 504),
        # A 1x1 filter with stride 2 uses a quarter of its ifmap.
        (ConvShape(C=64, M=8, H=8, W=8, stride=(2, 2)), "conv", 64 * 16, 512, 128),
        (ConvShape(C=4, M=8, H=9, W=9, stride=(2, 3)), "conv", 4 * 5 * 3, 32, 8 * 15),
        (ConvShape(C=1, M=1, H=9, W=9, R=2, S=2, stride=(1, 3)), "conv", 9 * 6, 4, 8 * 3),
        # The last row and column are out of reach.
        (ConvShape(C=1, M=1, H=6, W=6, R=3, S=3, stride=(2, 2)), "conv", 25, 9, 4),
        # Holes: rows 0, 2, 4 only.
        (ConvShape(C=1, M=1, H=5, W=5, R=3, S=3, dilation=(2, 2)), "conv", 9, 9, 1),
        # A filter that meets padding only in part.
        (ConvShape(C=1, M=1, H=1, W=1, R=3, S=3, pad=(1, 1, 1, 1)), "conv", 1, 9, 1),
        (ConvShape(N=3, G=4, C=8, M=16, H=5, W=5, R=3, S=3), "conv", 600, 16 * 2 * 9, 3 * 144),
        (ConvShape(N=2, C=30, M=7), "fc", 60, 210, 14),
        (PoolShape(C=8, H=6, W=6, R=2, S=2, stride=(2, 2)), "maxpool", 288, 0, 72),
        (PoolShape(N=2, C=8, H=5, W=5, R=2, S=2, stride=(3, 3)), "avgpool", 256, 0, 64),
    ],
)  # fmt: skip
def test_compulsory_bytes_count_what_is_used_once_at_its_width(shape, kind, ifmap, filters, ofmap):
    for config, act, weight in ((TINY, 1, 1), (ODD, 1, 2), (WIDE, 2, 2)):
        layer = layer_of(shape, config, kind)
        expected = act * (ifmap + ofmap) + weight * filters
        assert compulsory_bytes(layer, config) == Compulsory(dram=expected)


def test_positions_outside_the_ifmap_are_not_used():
    assert used_positions(5, 5, 3, 1, 1, 1) == 5
    assert used_positions(4, 2, 1, 3, 1, 1) == 1
    assert used_positions(10, 4, 2, 3, 1, 0) == 7  # of 0, 1, 3, 4, 6, 7, 9, 10


def test_pooling_has_no_macs():
    shape = ConvShape(N=2, G=2, C=4, M=6, H=5, W=5, R=3, S=3, pad=(1, 1, 1, 1))
    assert layer_macs(layer_of(shape, TINY)) == 2 * 6 * 2 * 9 * 25
    pool = PoolLayer(
        name="p", op="maxpool", shape=PoolShape(C=4, H=4, W=4, R=2, S=2), ifmap="x", ofmap="y"
    )
    assert layer_macs(pool) == 0


def test_energy_weighs_each_level():
    names = Accesses().as_report()
    ones = Accesses(**{name: 1 for name in names if name.endswith(OPERANDS)})
    # Two spad, one NoC, four buffer and two activation counts of three operands each.
    assert energy(1000, ones, 10, EnergyCosts()) == 1000 + 2 * 3 + 2 * 3 + 6 * 6 * 3 + 200 * 10
    costs = EnergyCosts(spad=3, noc=5, glb=7, dram=11)
    assert energy(0, ones, 10, costs) == 3 * 6 + 5 * 3 + 7 * 18 + 11 * 10
    assert energy(7, Accesses(), 0, EnergyCosts()) == 7


def test_what_is_on_chip_is_no_traffic_to_dram():
    layer = layer_of(ConvShape(N=2, C=30, M=7), TINY, "fc")
    for on_chip, dram, reads, writes in (
        (OnChip(ifmap=True), 210 + 14, 60, 0),
        (OnChip(ofmap=True), 60 + 210, 0, 14),
        (OnChip(residual=True), 60 + 210 + 14, 0, 0),  # there is none
        (OnChip(ifmap=True, ofmap=True), 210, 60, 14),
    ):
        expected = Compulsory(dram=dram, local_reads=reads, local_writes=writes)
        assert compulsory_bytes(layer, TINY, on_chip) == expected
