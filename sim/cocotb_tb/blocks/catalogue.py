"""Which blocks have a testbench, and how to make each for a configuration."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth.lib import wiring

from stillflow.hw.array.accumulator import Accumulator
from stillflow.hw.array.no_local_reuse import NoLocalReuseArray
from stillflow.hw.array.output_stationary import OutputStationaryArray
from stillflow.hw.array.pe import NoLocalReusePE, OutputStationaryPE, WeightStationaryPE
from stillflow.hw.array.row_stationary import RowStationaryArray
from stillflow.hw.array.row_stationary_pe import RowStationaryPE
from stillflow.hw.array.weight_stationary import WeightStationaryArray
from stillflow.hw.buffer.filter import FilterBuffer
from stillflow.hw.buffer.filter_banks import FilterBanks
from stillflow.hw.buffer.ifmap import IfmapBuffer
from stillflow.hw.buffer.ofmap import OfmapBuffer
from stillflow.hw.buffer.parameters import ParameterTable
from stillflow.hw.buffer.residual import ResidualHalf
from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.hw.control.csr_block import CsrBlock
from stillflow.hw.dma.reader import Reader
from stillflow.hw.dma.writer import Writer
from stillflow.hw.post.finish import Finisher
from stillflow.hw.post.pool import Pool
from stillflow.hw.post.post import PostProcessor
from stillflow.hw.sequencer.block_walker import BlockWalker
from stillflow.hw.sequencer.chunk_walker import ChunkWalker
from stillflow.hw.sequencer.pass_walker import PassWalker
from stillflow.hw.sequencer.read_walker import ReadWalker
from stillflow.hw.sequencer.store_walker import StoreWalker
from stillflow.hw.timing import step_guard

PREFIX = "block_"  # of the top module, before the block's name
Make = Callable[[AcceleratorConfig], wiring.Component]


@dataclass(frozen=True)
class BlockBench:
    """A block and its cocotb test.

    Parameters
    ----------
    make : callable
        Gives the block of a configuration.
    test : str
        Name of the test in `stillflow.sim.cocotb_tb.blocks.tests`.
    """

    make: Make
    test: str


_FILTER = BlockBench(FilterBuffer, "lines_come_back_from_the_ring")
_BLOCKS = BlockBench(
    lambda config: BlockWalker(config, guard=step_guard(config)),
    "blocks_are_those_of_a_literal_walk",
)
_OF_DATAFLOW = {
    Dataflow.WEIGHT_STATIONARY: {
        "pe": BlockBench(WeightStationaryPE, "pe_keeps_its_weight"),
        "array": BlockBench(WeightStationaryArray, "array_multiplies_by_its_block"),
        "filter": _FILTER,
        "compute_walker": _BLOCKS,
    },
    Dataflow.OUTPUT_STATIONARY: {
        "pe": BlockBench(OutputStationaryPE, "pe_keeps_its_psum"),
        "array": BlockBench(OutputStationaryArray, "array_sums_a_pixel_group"),
        "filter": _FILTER,
        "compute_walker": BlockBench(ChunkWalker, "chunks_are_those_of_a_literal_walk"),
    },
    Dataflow.ROW_STATIONARY: {
        "pe": BlockBench(RowStationaryPE, "pe_keeps_its_rows"),
        "array": BlockBench(RowStationaryArray, "array_shares_rows_and_diagonals"),
        "filter": _FILTER,
        "parameters": BlockBench(
            lambda config: ParameterTable(config, width=config.acc_bits, lines=config.bias_lines),
            "parameters_come_back_by_filter",
        ),
        "compute_walker": BlockBench(PassWalker, "passes_are_those_of_a_literal_walk"),
    },
    Dataflow.NO_LOCAL_REUSE: {
        "pe": BlockBench(NoLocalReusePE, "pe_keeps_nothing"),
        "array": BlockBench(NoLocalReuseArray, "array_multiplies_what_it_sees"),
        "filter": BlockBench(FilterBanks, "lines_come_from_successive_banks"),
        "compute_walker": _BLOCKS,
    },
}
_ALWAYS = {
    "scratchpad": BlockBench(
        lambda config: Sram(depth=config.filter_lines, width=config.axi_data_bits),
        "scratchpad_keeps_its_words",
    ),
    "ifmap": BlockBench(IfmapBuffer, "vectors_come_from_any_element"),
    "ofmap": BlockBench(OfmapBuffer, "strips_come_back_as_rows"),
    "residuals": BlockBench(ResidualHalf, "residuals_come_back_by_pixel"),
    "finisher": BlockBench(Finisher, "finished_words_are_the_golden_models"),
    "accumulator": BlockBench(Accumulator, "psums_meet_sums"),
    "load_walker": BlockBench(ReadWalker, "loads_are_those_of_a_literal_walk"),
    "store_walker": BlockBench(StoreWalker, "every_ofmap_byte_is_stored_once"),
    "reader": BlockBench(Reader, "segments_become_beats_in_order"),
    "writer": BlockBench(Writer, "runs_become_bytes_in_memory"),
    "requantiser": BlockBench(PostProcessor, "words_are_the_golden_models"),
    "control": BlockBench(CsrBlock, "registers_keep_their_bits"),
}
_POOLS = {"pool": BlockBench(Pool, "windows_are_pooled")}


def block_benches(config: AcceleratorConfig) -> dict[str, BlockBench]:
    """Benches of a configuration's blocks, by name."""
    return _OF_DATAFLOW[config.dataflow] | _ALWAYS | (_POOLS if config.pools else {})
