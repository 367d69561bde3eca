"""The AXI4 master's ports, and the engines' ways to them."""

from amaranth.hdl import Cat, Module, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.dma.reader import Reader
from stillflow.hw.dma.register_slice import RegisterSlice
from stillflow.hw.dma.writer import Writer

INCR, NORMAL_NON_CACHEABLE, UNPRIVILEGED = 1, 0b0011, 0


def axi_ports(data_bits: int) -> dict[str, Member]:
    """Members of the AXI4 master, in the names that tools infer as a bus."""
    address = {"id": 1, "addr": 32, "len": 8, "size": 3, "burst": 2, "cache": 4, "prot": 3}
    ports: dict[str, Member] = {}
    for channel in ("aw", "ar"):
        ports |= {f"m_axi_{channel}{name}": Out(bits) for name, bits in address.items()}
        ports |= {f"m_axi_{channel}valid": Out(1), f"m_axi_{channel}ready": In(1)}
    ports |= {
        "m_axi_wdata": Out(data_bits),
        "m_axi_wstrb": Out(data_bits // 8),
        "m_axi_wlast": Out(1),
        "m_axi_wvalid": Out(1),
        "m_axi_wready": In(1),
        "m_axi_bid": In(1),
        "m_axi_bresp": In(2),
        "m_axi_bvalid": In(1),
        "m_axi_bready": Out(1),
        "m_axi_rid": In(1),
        "m_axi_rdata": In(data_bits),
        "m_axi_rresp": In(2),
        "m_axi_rlast": In(1),
        "m_axi_rvalid": In(1),
        "m_axi_rready": Out(1),
    }
    return ports


def connect_axi(
    m: Module,
    ports: wiring.Component,
    config: AcceleratorConfig,
    engines: tuple[Reader, Writer],
    clear: Signal,
) -> None:
    """Connect the engines with the ports of an AXI4 master; slices are cleared as they are."""
    reader, writer = engines
    constants = {
        "id": 0,
        "size": ceil_log2(config.axi_bytes),
        "burst": INCR,
        "cache": NORMAL_NON_CACHEABLE,
        "prot": UNPRIVILEGED,
    }
    for channel in ("aw", "ar"):
        for name, value in constants.items():
            m.d.comb += getattr(ports, f"m_axi_{channel}{name}").eq(value)
    channels: dict[str, tuple[Reader | Writer, dict[str, Signal]]] = {
        "ar": (reader, {"addr": reader.ar_address, "len": reader.ar_len}),
        "aw": (writer, {"addr": writer.aw_address, "len": writer.aw_len}),
        "w": (writer, {"data": writer.w_data, "strb": writer.w_strb, "last": writer.w_last}),
        "r": (reader, {"data": reader.r_data, "resp": reader.r_resp}),
        "b": (writer, {"resp": writer.b_resp}),
    }
    for name, (engine, fields) in channels.items():
        own = {key: getattr(engine, f"{name}_{key}") for key in ("valid", "ready")} | fields
        outer = {key: getattr(ports, f"m_axi_{name}{key}") for key in own}
        source, sink = (outer, own) if name in ("r", "b") else (own, outer)
        valid, ready = source["valid"], source["ready"]
        payload: Value = Cat(source[field] for field in fields)
        if config.axi_slices:
            part = RegisterSlice(len(payload))
            m.submodules[f"{name}_slice"] = ResetInserter(clear)(part)
            m.d.comb += [
                part.i.valid.eq(valid),
                part.i.payload.eq(payload),
                ready.eq(part.i.ready),
            ]
            valid, ready, payload = part.o.valid, part.o.ready, Value.cast(part.o.payload)
        m.d.comb += [
            sink["valid"].eq(valid),
            ready.eq(sink["ready"]),
            Cat(sink[field] for field in fields).eq(payload),
        ]
