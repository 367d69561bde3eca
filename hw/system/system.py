"""An accelerator with its memory and its link: what a board holds, its pads apart."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member, Out

from stillflow.hw.dma.register_slice import RegisterSlice
from stillflow.hw.link import PAUSE_BYTES
from stillflow.hw.system.axi_lite import AxiLiteMaster
from stillflow.hw.system.axi_memory import AxiMemory
from stillflow.hw.system.block_memory import BlockMemory
from stillflow.hw.system.link import LinkDevice
from stillflow.hw.system.sdram import SdramController
from stillflow.hw.system.system_config import SystemConfig
from stillflow.hw.system.uart import BITS, UartReceiver, UartTransmitter
from stillflow.hw.top import Accelerator

SDRAM_PINS = (
    "o_command", "o_address", "o_bank", "o_mask", "o_dq", "o_dq_drive", "i_dq",
)  # fmt: skip


class System(wiring.Component):
    """Accelerator, memory and a UART to the host.

    Parameters
    ----------
    config : SystemConfig
        The system.

    Members
    -------
    i_rx, o_tx : ``In(1)``, ``Out(1)``
        UART, from and to the host.
    o_irq : ``Out(1)``
        The accelerator's interrupt.
    o_heard : ``Out(1)``
        A byte came from the host.
    sdram_* : the controller's pins, if there is one
    """

    i_rx: Signal
    o_tx: Signal
    o_irq: Signal
    o_heard: Signal

    def __init__(self, config: SystemConfig) -> None:
        self.config = config
        bits = config.accelerator.axi_data_bits
        ports: dict[str, Member] = {
            "i_rx": In(1),
            "o_tx": Out(1),
            "o_irq": Out(1),
            "o_heard": Out(1),
        }
        self.memory: BlockMemory | SdramController
        if isinstance(config.memory, int):
            self.memory = BlockMemory(data_bits=bits, size=config.memory)
        else:
            self.memory = SdramController(config.memory, data_bits=bits)
            members = self.memory.signature.members
            ports |= {f"sdram_{name}": members[name] for name in SDRAM_PINS}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Connect the parts."""
        m = Module()
        config, memory = self.config, self.memory

        core: Any = Accelerator(config.accelerator)
        bits = config.accelerator.axi_data_bits
        bus = AxiMemory(data_bits=bits, size=config.memory_bytes)
        registers = AxiLiteMaster()
        receiver, transmitter = UartReceiver(config.bit_cycles), UartTransmitter(config.bit_cycles)
        link = LinkDevice(
            memory_bytes=config.memory_bytes,
            pause_cycles=PAUSE_BYTES * BITS * config.bit_cycles,
        )
        m.submodules.core, m.submodules.bus, m.submodules.memory = core, bus, memory
        m.submodules.registers, m.submodules.link = registers, link
        m.submodules.receiver, m.submodules.transmitter = receiver, transmitter

        m.d.comb += [
            receiver.i_rx.eq(self.i_rx),
            link.i_valid.eq(receiver.o_valid),
            link.i_byte.eq(receiver.o_byte),
            self.o_tx.eq(transmitter.o_tx),
            self.o_irq.eq(core.irq),
            self.o_heard.eq(receiver.o_valid),
        ]
        wiring.connect(m, link.o_bytes, transmitter.i_bytes)
        wiring.connect(m, link.registers, registers.words)
        wiring.connect(m, link.memory, bus.words)
        if config.accelerator.axi_slices:
            self._connect_port(m, bus.port, memory.port)
        else:
            wiring.connect(m, bus.port, memory.port)
        for name, member in registers.signature.members.items():
            if name != "words":
                master = getattr(registers, name)
                slave = getattr(core, f"s_axil_{name.removeprefix('m_axil_')}")
                m.d.comb += slave.eq(master) if member.flow == Out else master.eq(slave)
        self._connect_memory(m, core, bus)
        if isinstance(memory, SdramController):
            for name in SDRAM_PINS:
                pin, port = getattr(memory, name), getattr(self, f"sdram_{name}")
                m.d.comb += pin.eq(port) if name.startswith("i_") else port.eq(pin)

        return m

    def _connect_port(self, m: Module, asks: Any, answers: Any) -> None:
        """Cut the way of the requests; what was read needs none."""
        m.submodules.requests = part = RegisterSlice(asks.requests.payload.shape())
        wiring.connect(m, asks.requests, part.i)
        wiring.connect(m, part.o, answers.requests)
        m.d.comb += [
            asks.read.eq(answers.read),
            asks.read_data.eq(answers.read_data),
            asks.read_source.eq(answers.read_source),
        ]

    def _connect_memory(self, m: Module, core: Any, bus: AxiMemory) -> None:
        for channel, slave in (("ar", bus.ar), ("aw", bus.aw)):
            m.d.comb += [
                slave.valid.eq(getattr(core, f"m_axi_{channel}valid")),
                slave.p.address.eq(getattr(core, f"m_axi_{channel}addr")),
                slave.p.last_beat.eq(getattr(core, f"m_axi_{channel}len")),
                getattr(core, f"m_axi_{channel}ready").eq(slave.ready),
            ]
        m.d.comb += [
            bus.w.valid.eq(core.m_axi_wvalid),
            bus.w.p.data.eq(core.m_axi_wdata),
            bus.w.p.strobe.eq(core.m_axi_wstrb),
            core.m_axi_wready.eq(bus.w.ready),
            core.m_axi_rvalid.eq(bus.r.valid),
            core.m_axi_rdata.eq(bus.r.p.data),
            core.m_axi_rresp.eq(bus.r.p.response),
            core.m_axi_rlast.eq(bus.r.p.last),
            bus.r.ready.eq(core.m_axi_rready),
            core.m_axi_bvalid.eq(bus.b.valid),
            core.m_axi_bresp.eq(bus.b.payload),
            bus.b.ready.eq(core.m_axi_bready),
        ]
