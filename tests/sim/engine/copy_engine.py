"""A small design with the accelerator's ports: it copies memory."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.csr import OFFSETS
from stillflow.sim.engine.base import Engine

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
    SLVERR. IRQ_ENABLE masks bytes of every written word. LAYER counts cycles since the start of the
    job, to read the clock from inside.

    Parameters
    ----------
    data_bits : int
        Width of the AXI4 port.
    silent_csr : bool
        Never answer at the registers' port, as a broken design.
    narrow : bool
        Ask for beats of half the width, as a broken design.
    """

    def __init__(self, data_bits: int, *, silent_csr: bool = False, narrow: bool = False) -> None:
        self.data_bits, self.silent_csr, self.narrow = data_bits, silent_csr, narrow
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
        source, target, length = Signal(32), Signal(32), Signal(16)
        start, busy, error, done, irq = (Signal() for _ in range(5))
        job_cycles, masked = Signal(16), Signal(self.data_bits // 8)
        axi = self._channel("m_axi_")

        m.d.comb += getattr(self, "irq").eq(irq)  # noqa: B009
        writable = {
            "PROGRAM_ADDRESS": source,
            "RECORD_ADDRESS": target,
            "PROGRAM_LENGTH": length,
            "IRQ_ENABLE": masked,
        }
        readable = {
            **writable,
            "STATUS": Cat(busy, done, error),
            "IRQ_STATUS": irq,
            "LAYER": job_cycles,
        }
        self._write_registers(m, writable, start, irq)
        self._read_registers(m, readable)
        self._request(m, "ar", start, source, length)
        self._request(m, "aw", start, target, length)

        acks_left = Signal(16)
        m.d.comb += [
            axi.wdata.eq(axi.rdata),
            axi.wstrb.eq(~masked),
            axi.wvalid.eq(axi.rvalid),
            axi.rready.eq(axi.wready),
            axi.wlast.eq(axi.rlast),
            axi.bready.eq(1),
        ]
        m.d.sync += job_cycles.eq(job_cycles + busy)
        with m.If(start):
            m.d.sync += [
                *(busy.eq(1), done.eq(0), error.eq(0), job_cycles.eq(0)),
                acks_left.eq((length + BURST_BEATS - 1) // BURST_BEATS),
            ]
        with m.If((axi.rvalid & (axi.rresp != 0)) | (axi.bvalid & (axi.bresp != 0))):
            m.d.sync += error.eq(1)
        with m.If(axi.bvalid):
            m.d.sync += acks_left.eq(acks_left - 1)
            with m.If(acks_left == 1):
                m.d.sync += [busy.eq(0), done.eq(1), irq.eq(1)]

        return m

    def _channel(self, prefix: str) -> Any:
        """Ports by their names without the prefix."""
        names = [name for name in self.signature.members if name.startswith(prefix)]
        return SimpleNamespace(**{name[len(prefix) :]: getattr(self, name) for name in names})

    def _write_registers(
        self, m: Module, registers: dict[str, Signal], start: Signal, irq: Signal
    ) -> None:
        host = self._channel("s_axil_")
        accept = host.awvalid & host.wvalid & ~host.bvalid & (not self.silent_csr)
        m.d.comb += [host.awready.eq(accept), host.wready.eq(accept)]
        with m.If(host.bready):
            m.d.sync += host.bvalid.eq(0)
        with m.If(accept):
            m.d.sync += [host.bvalid.eq(1), host.bresp.eq(0)]
            with m.Switch(host.awaddr):
                for name, register in registers.items():
                    with m.Case(OFFSETS[name]):
                        m.d.sync += register.eq(host.wdata)
                with m.Case(OFFSETS["CONTROL"]):
                    m.d.comb += start.eq(host.wdata[0])
                with m.Case(OFFSETS["IRQ_STATUS"]):
                    m.d.sync += irq.eq(irq & ~host.wdata[0])
                with m.Default():
                    m.d.sync += host.bresp.eq(2)

    def _read_registers(self, m: Module, registers: dict[str, Value]) -> None:
        host = self._channel("s_axil_")
        accept = host.arvalid & ~host.rvalid & (not self.silent_csr)
        m.d.comb += host.arready.eq(accept)
        with m.If(host.rready):
            m.d.sync += host.rvalid.eq(0)
        with m.If(accept):
            m.d.sync += [host.rvalid.eq(1), host.rresp.eq(0)]
            with m.Switch(host.araddr):
                for name, value in registers.items():
                    with m.Case(OFFSETS[name]):
                        m.d.sync += host.rdata.eq(value)
                with m.Default():
                    m.d.sync += host.rresp.eq(2)

    def _request(
        self, m: Module, channel: str, start: Signal, base: Signal, length: Signal
    ) -> None:
        port = self._channel(f"m_axi_{channel}")
        beat_bytes = self.data_bits // 8
        address, left = Signal(32, name=f"{channel}_address"), Signal(16, name=f"{channel}_left")
        beats = Mux(left > BURST_BEATS, BURST_BEATS, left)
        m.d.comb += [
            port.valid.eq(left != 0),
            port.addr.eq(address),
            port.len.eq(beats - 1),
            port.size.eq(beat_bytes.bit_length() - 1 - self.narrow),
            port.burst.eq(1),
        ]
        with m.If(start):
            m.d.sync += [address.eq(base), left.eq(length)]
        with m.Elif(port.valid & port.ready):
            m.d.sync += [address.eq(address + beats * beat_bytes), left.eq(left - beats)]


def copy(engine: Engine, beats: int, *, source: int = 0, target: int = 0x4000) -> int:
    """Copy random data and give the cycles from the start to the interrupt."""
    content = np.random.default_rng(beats).integers(0, 256, beats * engine.axi_bytes, np.uint8)
    engine.memory[source : source + content.size] = content
    engine.write_csr(OFFSETS["PROGRAM_ADDRESS"], source)
    engine.write_csr(OFFSETS["RECORD_ADDRESS"], target)
    engine.write_csr(OFFSETS["PROGRAM_LENGTH"], beats)
    engine.write_csr(OFFSETS["CONTROL"], 1)
    return engine.wait_irq(2_000)
