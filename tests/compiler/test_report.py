import json

import pytest

from stillflow.compiler.counts import compulsory_bytes
from stillflow.compiler.program import compile_network
from stillflow.compiler.report import make_report, predict_program
from stillflow.compiler.synthetic import synthetic_network
from stillflow.compiler.workload import Workload, WorkloadLayer
from stillflow.hw.csr import Counter
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.presets import TINY
from tests.networks import WIDE

TABLE = Workload(
    name="table",
    entries=(
        WorkloadLayer(name="one", type="conv", shape=ConvShape(C=8, M=8, H=6, W=6, R=3, S=3)),
        WorkloadLayer(name="two", type="maxpool", shape=PoolShape(C=5, H=6, W=6, R=2, S=2)),
        WorkloadLayer(name="three", type="fc", shape=ConvShape(C=40, M=10)),
    ),
)
COUNTS = ["glb_reads", "glb_writes", "glb_fills", "glb_spills"]
COUNTS += ["activation_reads", "activation_writes"]
COUNTS += ["spad_reads", "spad_writes", "noc_transfers"]
COUNTS += [f"{kind}_{operand}" for kind in COUNTS for operand in ("ifmap", "filter", "psum")]
SUMS = ["macs", "cycles", "predicted_cycles", "ideal_cycles", "dram_read_bytes", "dram_write_bytes"]
SUMS += [*COUNTS, "energy", "mismatches"]
RATIOS = ["utilization", "roofline_efficiency"]
FIELDS = {"name", "op", "fused", *SUMS, *RATIOS}


def report_of(config=TINY, mismatches=(0, 0, 0), latency=40, bytes_per_cycle=4):
    program = compile_network(synthetic_network(TABLE, config, seed=0), config)
    counters = [
        {counter: 1000 * layer + 10 * counter + 10_000 * (counter == Counter.CYCLES)
         for counter in Counter}
        for layer in range(1, 4)
    ]  # fmt: skip
    report = make_report(
        program, counters, version="1.2", engine="pysim", latency=latency,
        bytes_per_cycle=bytes_per_cycle, mismatches=mismatches,
    )  # fmt: skip
    return program, counters, report


def test_every_field_of_the_interface_is_there():
    program, _, report = report_of()
    assert set(report) == {
        "stillflow", "config", "workload", "engine", "bit_exact", "layers", "total",
    }  # fmt: skip
    assert (report["stillflow"], report["engine"], report["workload"]) == ("1.2", "pysim", "table")
    assert report["config"] == program.config.keys()
    assert [set(layer) for layer in report["layers"]] == [FIELDS] * 3
    assert {*SUMS, *RATIOS} <= set(report["total"])
    assert [(layer["name"], layer["op"]) for layer in report["layers"]] == [
        ("one", "conv"), ("two", "maxpool"), ("three", "fc"),
    ]  # fmt: skip
    assert json.loads(json.dumps(report)) == report


@pytest.mark.parametrize("config", [TINY, WIDE], ids=lambda config: config.name)
@pytest.mark.parametrize("bytes_per_cycle", [1, 16])
def test_figures_of_a_layer_follow_from_its_counters(config, bytes_per_cycle):
    program, counters, report = report_of(config, latency=9, bytes_per_cycle=bytes_per_cycle)
    predicted = predict_program(program, latency=9, bytes_per_cycle=bytes_per_cycle)
    for compiled, counted, foreseen, entry in zip(
        program.layers, counters, predicted, report["layers"], strict=True
    ):
        layer = compiled.layer
        macs = getattr(layer.shape, "macs", 0)
        assert entry["macs"] == macs
        assert entry["cycles"] == counted[Counter.CYCLES]
        assert entry["predicted_cycles"] == foreseen[Counter.CYCLES]
        moved = compulsory_bytes(layer, config).dram / bytes_per_cycle
        assert entry["ideal_cycles"] == max(macs / config.pes, moved)
        assert entry["roofline_efficiency"] == entry["ideal_cycles"] / entry["cycles"]
        assert entry["utilization"] == macs / (entry["cycles"] * config.pes)
        read, written = counted[Counter.DRAM_READ_BYTES], counted[Counter.DRAM_WRITE_BYTES]
        assert (entry["dram_read_bytes"], entry["dram_write_bytes"]) == (read, written)
        words = (read + written) // config.act_bytes
        glb = sum(entry[f"glb_{kind}"] for kind in ("reads", "writes", "fills", "spills"))
        spad = entry["spad_reads"] + entry["spad_writes"]
        assert entry["energy"] == macs + spad + 2 * entry["noc_transfers"] + 6 * glb + 200 * words
    assert report["layers"][1]["utilization"] == 0


def test_the_total_sums_and_takes_the_ratios_of_the_sums():
    program, _, report = report_of(mismatches=(0, 3, 4))
    total, layers = report["total"], report["layers"]
    for key in SUMS:
        assert total[key] == sum(layer[key] for layer in layers), key
    assert total["utilization"] == total["macs"] / (total["cycles"] * program.config.pes)
    assert total["roofline_efficiency"] == total["ideal_cycles"] / total["cycles"]
    assert total["mismatches"] == 7


@pytest.mark.parametrize(
    ("mismatches", "exact"),
    [((0, 0, 0), True), ((0, 1, 0), False), ((None, None, None), None)],
)
def test_a_run_is_exact_if_no_word_differs_and_unknown_without_words(mismatches, exact):
    _, _, report = report_of(mismatches=mismatches)
    assert report["bit_exact"] is exact
    assert [layer["mismatches"] for layer in report["layers"]] == list(mismatches)
    if exact is None:
        assert report["total"]["mismatches"] is None


def test_every_layer_needs_its_counters():
    program, counters, _ = report_of()
    with pytest.raises(ValueError, match=r"^zip\(\) argument 2 is shorter than argument 1$"):
        make_report(
            program, counters[:2], version="", engine="", latency=1, bytes_per_cycle=1,
            mismatches=(0, 0, 0),
        )  # fmt: skip


def test_without_counters_the_report_is_the_prediction():
    program, _, _ = report_of()
    options = {"latency": 20, "bytes_per_cycle": 2}
    shown = {"version": "1.2", "engine": "model", "mismatches": (None, None, None), **options}
    predicted = predict_program(program, **options)
    assert make_report(program, None, **shown) == make_report(program, predicted, **shown)
    for entry in make_report(program, None, **shown)["layers"]:
        assert set(entry) == FIELDS
        assert entry["predicted_cycles"] == entry["cycles"] > 0
