"""The link's words as transactions of the accelerator's registers."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.control.axil import AXIL_INPUTS, AXIL_OUTPUTS
from stillflow.hw.control.csr_block import OKAY
from stillflow.hw.csr import CSR_ADDRESS_BITS
from stillflow.hw.signals import signals
from stillflow.hw.system.word_bus import WordBus


class AxiLiteMaster(wiring.Component):
    """Reads and writes registers, one at a time.

    An address beyond the registers is an error without a transaction.

    Members
    -------
    words : ``In(WordBus())``
    m_axil_* : AXI4-Lite master, 32 bits
    """

    words: Any

    def __init__(self) -> None:
        super().__init__(
            {"words": In(WordBus())}
            | {f"m_axil_{name}": Out(width) for name, width in AXIL_INPUTS.items()}
            | {f"m_axil_{name}": In(width) for name, width in AXIL_OUTPUTS.items()}
        )

    def elaborate(self, platform: object) -> Module:
        """Build the handshakes."""
        m = Module()
        words = self.words
        bus = {name: getattr(self, f"m_axil_{name}") for name in (*AXIL_INPUTS, *AXIL_OUTPUTS)}

        inside, reads, writes = signals("inside reads writes")
        address_sent, data_sent = signals("address_sent data_sent")
        response = Signal(2)
        m.d.comb += [
            inside.eq(words.address[CSR_ADDRESS_BITS:] == 0),
            reads.eq(words.request & inside & ~words.write),
            writes.eq(words.request & inside & words.write),
            bus["araddr"].eq(words.address),
            bus["awaddr"].eq(words.address),
            bus["wdata"].eq(words.write_data),
            bus["wstrb"].eq(0b1111),
            bus["arvalid"].eq(reads & ~address_sent),
            bus["awvalid"].eq(writes & ~address_sent),
            bus["wvalid"].eq(writes & ~data_sent),
            bus["rready"].eq(1),
            bus["bready"].eq(1),
            words.read_data.eq(bus["rdata"]),
            words.done.eq(
                (reads & bus["rvalid"]) | (writes & bus["bvalid"]) | (words.request & ~inside)
            ),
            response.eq(bus["rresp"] | bus["bresp"]),
            words.error.eq(~inside | (response != OKAY)),
        ]
        with m.If((bus["arvalid"] & bus["arready"]) | (bus["awvalid"] & bus["awready"])):
            m.d.sync += address_sent.eq(1)
        with m.If(bus["wvalid"] & bus["wready"]):
            m.d.sync += data_sent.eq(1)
        with m.If(words.done):
            m.d.sync += [address_sent.eq(0), data_sent.eq(0)]

        return m
