"""A small design with the accelerator's ports, to test engines with: it copies memory."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.csr import OFFSETS

BURST_BEATS = 16

_MASTER_OUTPUTS = (
    *(("awid", 1), ("awaddr", 32), ("awlen", 8), ("awsize", 3), ("awburst", 2), ("awcache", 4)),
    *(("awprot", 3), ("awvalid", 1), ("wlast", 1), ("wvalid", 1), ("bready", 1)),
    *(("arid", 1), ("araddr", 32), ("arlen", 8), ("arsize", 3), ("arburst", 2), ("arcache", 4)),
    *(("arprot", 3), ("arvalid", 1), ("rready", 1)),
)
_MASTER_INPUTS = (
    *(("awready", 1), ("wready", 1), ("bid", 1), ("bresp", 2), ("bvalid", 1)),
    *(("arready", 1), ("rid", 1), ("rresp", 2), ("rlast", 1), ("rvalid", 1)),
)
_HOST_INPUTS = (
    *(("awaddr", 9), ("awprot", 3), ("awvalid", 1), ("wdata", 32), ("wstrb", 4), ("wvalid", 1)),
    *(("bready", 1), ("araddr", 9), ("arprot", 3), ("arvalid", 1), ("rready", 1)),
)
_HOST_OUTPUTS = (
    *(("awready", 1), ("wready", 1), ("bresp", 2), ("bvalid", 1)),
    *(("arready", 1), ("rdata", 32), ("rresp", 2), ("rvalid", 1)),
)


class CopyEngine(wiring.Component):
    """Copies PROGRAM_LENGTH beats from PROGRAM_ADDRESS to RECORD_ADDRESS in bursts of 16.

    Requests for all bursts are sent at once, beginning in the cycle after the write of CONTROL is
    taken. The write data are the read data in the same cycle, through gates only. The interrupt
    follows in the cycle after the last acknowledgement. A register that does not exist answers
    SLVERR. LAYER counts cycles since the start of the job, to read the clock from inside.

    Parameters
    ----------
    data_bits : int
        Width of the AXI4 port.
    silent_csr : bool
        Never answer at the registers' port, as a broken design.
    """

    def __init__(self, data_bits: int, *, silent_csr: bool = False) -> None:
        self.data_bits, self.silent_csr = data_bits, silent_csr
        ports = {f"m_axi_{name}": Out(bits) for name, bits in _MASTER_OUTPUTS}
        ports |= {"m_axi_wdata": Out(data_bits), "m_axi_wstrb": Out(data_bits // 8)}
        ports |= {f"m_axi_{name}": In(bits) for name, bits in _MASTER_INPUTS}
        ports |= {"m_axi_rdata": In(data_bits), "irq": Out(1)}
        ports |= {f"s_axil_{name}": In(bits) for name, bits in _HOST_INPUTS}
        ports |= {f"s_axil_{name}": Out(bits) for name, bits in _HOST_OUTPUTS}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Build the design."""
        m = Module()
        beat_bytes = self.data_bits // 8
        source, target, length = Signal(32), Signal(32), Signal(16)
        start, busy, error, done, irq = (Signal() for _ in range(5))
        acks_left, job_cycles = Signal(16), Signal(16)
        registers = {"PROGRAM_ADDRESS": source, "RECORD_ADDRESS": target, "PROGRAM_LENGTH": length}
        readable = {
            **registers,
            "STATUS": Cat(busy, done, error),
            "IRQ_STATUS": irq,
            "LAYER": job_cycles,
        }

        accept_write, accept_read = Signal(), Signal()
        m.d.comb += [
            accept_write.eq(self.s_axil_awvalid & self.s_axil_wvalid & ~self.s_axil_bvalid),
            accept_read.eq(self.s_axil_arvalid & ~self.s_axil_rvalid),
            self.s_axil_awready.eq(accept_write & (not self.silent_csr)),
            self.s_axil_wready.eq(accept_write & (not self.silent_csr)),
            self.s_axil_arready.eq(accept_read & (not self.silent_csr)),
            self.irq.eq(irq),
        ]
        with m.If(self.s_axil_bready):
            m.d.sync += self.s_axil_bvalid.eq(0)
        with m.If(self.s_axil_rready):
            m.d.sync += self.s_axil_rvalid.eq(0)
        with m.If(self.s_axil_awready):
            m.d.sync += [self.s_axil_bvalid.eq(1), self.s_axil_bresp.eq(0)]
            with m.Switch(self.s_axil_awaddr):
                for name, register in registers.items():
                    with m.Case(OFFSETS[name]):
                        m.d.sync += register.eq(self.s_axil_wdata)
                with m.Case(OFFSETS["CONTROL"]):
                    m.d.comb += start.eq(self.s_axil_wdata[0])
                with m.Case(OFFSETS["IRQ_STATUS"]):
                    m.d.sync += irq.eq(irq & ~self.s_axil_wdata[0])
                with m.Default():
                    m.d.sync += self.s_axil_bresp.eq(2)
        with m.If(self.s_axil_arready):
            m.d.sync += [self.s_axil_rvalid.eq(1), self.s_axil_rresp.eq(0)]
            with m.Switch(self.s_axil_araddr):
                for name, value in readable.items():
                    with m.Case(OFFSETS[name]):
                        m.d.sync += self.s_axil_rdata.eq(value)
                with m.Default():
                    m.d.sync += self.s_axil_rresp.eq(2)

        for prefix, base in (("ar", source), ("aw", target)):
            address, left = Signal(32, name=f"{prefix}_address"), Signal(16, name=f"{prefix}_left")
            valid, ready = (getattr(self, f"m_axi_{prefix}{name}") for name in ("valid", "ready"))
            beats = Mux(left > BURST_BEATS, BURST_BEATS, left)
            m.d.comb += [
                valid.eq(left != 0),
                getattr(self, f"m_axi_{prefix}addr").eq(address),
                getattr(self, f"m_axi_{prefix}len").eq(beats - 1),
                getattr(self, f"m_axi_{prefix}size").eq(beat_bytes.bit_length() - 1),
                getattr(self, f"m_axi_{prefix}burst").eq(1),
            ]
            with m.If(start):
                m.d.sync += [address.eq(base), left.eq(length)]
            with m.Elif(valid & ready):
                m.d.sync += [address.eq(address + beats * beat_bytes), left.eq(left - beats)]

        beats_left = Signal(16)
        m.d.comb += [
            self.m_axi_wdata.eq(self.m_axi_rdata),
            self.m_axi_wstrb.eq(~0),
            self.m_axi_wvalid.eq(self.m_axi_rvalid),
            self.m_axi_rready.eq(self.m_axi_wready),
            self.m_axi_wlast.eq(self.m_axi_rlast),
            self.m_axi_bready.eq(1),
        ]
        m.d.sync += job_cycles.eq(job_cycles + busy)
        with m.If(start):
            m.d.sync += [
                *(busy.eq(1), done.eq(0), error.eq(0), job_cycles.eq(0)),
                *(beats_left.eq(length), acks_left.eq((length + BURST_BEATS - 1) // BURST_BEATS)),
            ]
        with m.If(self.m_axi_rvalid & self.m_axi_rready):
            m.d.sync += beats_left.eq(beats_left - 1)
            with m.If(self.m_axi_rresp != 0):
                m.d.sync += error.eq(1)
        with m.If(self.m_axi_bvalid):
            m.d.sync += acks_left.eq(acks_left - 1)
            with m.If(self.m_axi_bresp != 0):
                m.d.sync += error.eq(1)
            with m.If(acks_left == 1):
                m.d.sync += [busy.eq(0), done.eq(1), irq.eq(1)]

        return m
