"""What controls: the register block's channels, and the tiles that are loaded ahead."""

from typing import Any

from amaranth.hdl import Module, Signal

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.control.csr_block import CsrBlock
from stillflow.hw.sequencer.read_walker import ReadWalker
from stillflow.sim.formal.proof import Proof, assume, check, check_held, implies


class RegistersProof(Proof):
    """Answers hold until taken (AXI4-Lite), and there is one for each request."""

    def __init__(self, config: AcceleratorConfig, block: Any = CsrBlock) -> None:
        super().__init__(block(config))

    def state(self, m: Module) -> None:
        """State the properties."""
        csr = self.block
        check_held(m, csr.s_axil_bvalid, csr.s_axil_bready, csr.s_axil_bresp)
        check_held(m, csr.s_axil_rvalid, csr.s_axil_rready, csr.s_axil_rdata, csr.s_axil_rresp)

        addresses, data, reads = Signal(2), Signal(2), Signal(2)
        answered = csr.s_axil_bvalid & csr.s_axil_bready
        m.d.sync += [
            addresses.eq(addresses + (csr.s_axil_awvalid & csr.s_axil_awready) - answered),
            data.eq(data + (csr.s_axil_wvalid & csr.s_axil_wready) - answered),
            reads.eq(
                reads
                + (csr.s_axil_arvalid & csr.s_axil_arready)
                - (csr.s_axil_rvalid & csr.s_axil_rready)
            ),
        ]
        check(
            m,
            addresses == csr.s_axil_bvalid + ~csr.s_axil_awready,
            data == csr.s_axil_bvalid + ~csr.s_axil_wready,
            reads == csr.s_axil_rvalid + ~csr.s_axil_arready,
            # Start and soft reset never come together, and no start while a job runs.
            ~(csr.o_start & csr.o_soft_reset),
        )


class TilesProof(Proof):
    """The load walker never claims more tiles than there are slots."""

    def __init__(self, config: AcceleratorConfig, block: Any = ReadWalker) -> None:
        super().__init__(block(config))

    def state(self, m: Module) -> None:
        """State the properties."""
        walker, used = self.block, self.registers["used"]
        slots = Signal.like(walker.i_layer.slots)
        begun = Signal()
        with m.If(walker.i_start):
            m.d.sync += [slots.eq(walker.i_layer.slots), begun.eq(1)]
        assume(
            m,
            walker.i_layer.slots != 0,
            implies(~walker.i_start & begun, walker.i_layer.slots == slots),
            implies(walker.i_tile_freed, used != 0),
            implies(walker.i_start, walker.o_done & ~walker.i_tile_freed),
        )
        check(m, used <= slots, implies(~begun, walker.o_done))
