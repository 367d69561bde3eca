"""Named configurations. Plain Python."""

from dataclasses import replace

from stillflow.hw.config import AcceleratorConfig, Dataflow

TINY = AcceleratorConfig(name="tiny", rows=4, cols=4, glb_kib=8, axi_data_bits=32, requant_lanes=1)
EDGE8 = AcceleratorConfig(
    name="edge8", rows=8, cols=8, glb_kib=128, axi_data_bits=64, requant_lanes=4
)
EDGE16 = AcceleratorConfig(
    name="edge16", rows=16, cols=16, glb_kib=256, axi_data_bits=128, requant_lanes=16,
    pool_windows=128,
)  # fmt: skip
EDGE32 = AcceleratorConfig(
    name="edge32", rows=32, cols=32, glb_kib=1024, axi_data_bits=256, requant_lanes=32,
    pool_windows=128,
)  # fmt: skip
#: The chip of Chen, Krishna, Emer, Sze (JSSC 2017), at 200 MHz; psums here have 48 bits, not 16.
EYERISS = AcceleratorConfig(
    name="eyeriss", rows=12, cols=14, dataflow=Dataflow.ROW_STATIONARY, act_bits=16,
    weight_bits=16, acc_bits=48, glb_kib=108, axi_data_bits=64, requant_lanes=14,
)  # fmt: skip

#: On boards; see `stillflow.boards.fpga.board`. What is small has narrow control.
ICEBREAKER = replace(
    TINY, name="icebreaker", address_bits=17, count_bits=9, counter_bits=24,
    depthwise_chains=False, finisher=False, requant_serial=True,
)  # fmt: skip
TANGNANO9K = replace(ICEBREAKER, name="tangnano9k", address_bits=16)
ARTY_A7_100 = replace(EDGE8, name="arty_a7_100", axi_slices=True, operand_registers=True)
ARTY_Z7 = replace(ARTY_A7_100, name="arty_z7")
ULX3S = replace(ARTY_A7_100, name="ulx3s")
ORANGECRAB = replace(TINY, name="orangecrab", axi_slices=True, operand_registers=True)

_EVERY = (
    TINY, EDGE8, EDGE16, EDGE32, EYERISS,
    ICEBREAKER, ULX3S, ORANGECRAB, TANGNANO9K, ARTY_A7_100, ARTY_Z7,
)  # fmt: skip
#: Every preset by its name.
PRESETS = {config.name: config for config in _EVERY}
