"""Converts without local reuse what is too wide for one signal."""

from stillflow.boards.verilog import emit
from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.hw.dataflow.no_local_reuse import NoLocalReuse


def test_more_weights_than_one_signal_can_hold_are_converted():
    config = AcceleratorConfig(
        rows=128, cols=32, glb_kib=1024, axi_data_bits=512, requant_lanes=1,
        dataflow=Dataflow.NO_LOCAL_REUSE, act_bits=16, weight_bits=16, acc_bits=48,
    )  # fmt: skip
    # Amaranth's limit is 2**16 - 1 bits.
    assert config.rows * config.m_block * config.weight_bits == 1 << 16
    assert "column_nlr_128x16x16.v" in emit(NoLocalReuse(config))
