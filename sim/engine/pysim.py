"""The engine without a compiler: Amaranth's simulator, some thousand times slower."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

from amaranth.hdl import Cat, ClockDomain, Module, Value
from amaranth.lib import wiring
from amaranth.sim import Simulator

from stillflow.sim.engine.base import (
    CSR_TIMEOUT_CYCLES,
    RESET_CYCLES,
    DramTiming,
    Engine,
    Stalls,
    Traffic,
)
from stillflow.sim.engine.dram import Dram
from stillflow.sim.engine.wave import WaveFile

_HALF_PERIOD = 5e-9
_REQUEST = ("valid", "addr", "len", "size", "burst", "id")
_DRAM_OUTPUTS = {
    "ar": ("ready",),
    "aw": ("ready",),
    "w": ("ready",),
    "r": ("valid", "data", "resp", "last", "id"),
    "b": ("valid", "resp", "id"),
}
_DRAM_INPUTS = {
    "ar": _REQUEST,
    "aw": _REQUEST,
    "w": ("valid", "data", "strb", "last"),
    "r": ("ready",),
    "b": ("ready",),
}
_HOST_OUTPUTS = {
    "aw": ("valid", "addr"),
    "w": ("valid", "data", "strb"),
    "b": ("ready",),
    "ar": ("valid", "addr"),
    "r": ("ready",),
}
_HOST_INPUTS = {
    "aw": ("ready",),
    "w": ("ready",),
    "b": ("valid", "resp"),
    "ar": ("ready",),
    "r": ("valid", "resp", "data"),
}


class PysimEngine(Engine):
    """An accelerator as an Amaranth component.

    Parameters
    ----------
    component : wiring.Component
        Its members are the accelerator's ports: ``s_axil_awaddr``, ``m_axi_araddr``, ``irq``, ...
        in domain ``sync``.
    timing : DramTiming
        The DRAM's timing.
    memory_bytes : int
        Size of the DRAM.
    stalls : Stalls, optional
        Let the memory stall at random.
    wave : path, optional
        Waveform to write, a ``.vcd``.

    Raises
    ------
    ValueError
        If the waveform is no ``.vcd``.
    OSError
        If the waveform's file cannot be written.
    """

    def __init__(
        self,
        component: wiring.Component,
        *,
        timing: DramTiming | None = None,
        memory_bytes: int = 64 << 20,
        stalls: Stalls | None = None,
        wave: str | Path | None = None,
    ) -> None:
        self._domain: Any = ClockDomain("sync")
        top = Module()
        top.domains.sync = self._domain
        top.submodules.dut = cast(Any, component)
        self._simulator = Simulator(top)
        self._driven = _ports(component, "m_axi_", _DRAM_OUTPUTS)
        self._driven += _ports(component, "s_axil_", _HOST_OUTPUTS)
        self._read = _ports(component, "m_axi_", _DRAM_INPUTS)
        self._read += _ports(component, "s_axil_", _HOST_INPUTS)
        self._read += _ports(component, "", {"irq": ("",)})
        super().__init__(
            axi_data_bits=len(dict(self._driven)["m_axi_rdata"]),
            timing=timing or DramTiming(),
            memory_bytes=memory_bytes,
        )
        if wave is not None and Path(wave).suffix != ".vcd":
            raise ValueError(f"wave must end in .vcd with this engine, not {str(wave)!r}")
        self._dram = Dram(
            self.memory, self.axi_bytes, self.timing.latency, self.bytes_per_cycle, stalls
        )
        self._cycles, self._irq, self._in_reset, self._closed = 0, False, True, False
        self._host = {name: 0 for name, _ in self._driven if name.startswith("s_axil_")}
        self._host |= {"s_axil_wstrb": 15, "s_axil_bready": 1, "s_axil_rready": 1}
        self._sampled: dict[str, int] = {}  # the register port before the last clock edge
        self._open = ExitStack()
        self._wave: WaveFile | None = None
        if wave is not None:
            self._wave = self._open.enter_context(WaveFile(wave))
            self._open.enter_context(self._simulator.write_vcd(cast(Any, self._wave)))
        self._simulator.add_testbench(self._testbench)
        try:
            self.reset()
        except BaseException:
            self._open.close()
            raise

    @property
    def cycles(self) -> int:
        """Clock cycles since the start, the reset before them not counted."""
        return self._cycles

    @property
    def irq(self) -> bool:
        """The interrupt line as it was in the last cycle."""
        return self._irq

    @property
    def traffic(self) -> Traffic:
        """Counts taken at the AXI4 port."""
        return self._dram.traffic

    def close(self) -> None:
        """Finish the waveform."""
        self._closed = True
        self._open.close()
        if self._wave is not None:
            self._wave.check()

    def _step(self, cycles: int) -> None:
        for _ in range(cycles):
            if self._failure():
                return
            self._cycle()

    def _run_until_irq(self, max_cycles: int) -> int:
        for waited in range(1, max_cycles + 1):
            if self._failure():
                break
            self._cycle()
            if self._irq:
                return waited
        return -1

    def _csr(self, write: bool, offset: int, value: int) -> tuple[int, int]:
        # Address and, in a write, data stay until they are taken; the answer is always welcome.
        waiting, answer = ({"aw", "w"}, "b") if write else ({"ar"}, "r")
        host, response, read = self._host, -1, 0
        host |= {"s_axil_awaddr": offset, "s_axil_wdata": value, "s_axil_araddr": offset}
        for _ in range(CSR_TIMEOUT_CYCLES):
            if self._failure() or response >= 0:
                break
            host |= {f"s_axil_{channel}valid": channel in waiting for channel in ("aw", "w", "ar")}
            self._cycle()
            seen = self._sampled
            waiting -= {channel for channel in waiting if seen[f"s_axil_{channel}ready"]}
            if seen[f"s_axil_{answer}valid"]:
                response, read = seen[f"s_axil_{answer}resp"], seen["s_axil_rdata"]
        host |= {"s_axil_awvalid": 0, "s_axil_wvalid": 0, "s_axil_arvalid": 0}
        return response, 0 if write else read

    def _reset(self) -> None:
        self._dram.reset()
        self._in_reset = True
        for _ in range(RESET_CYCLES):
            self._two_halves()
        self._in_reset = False
        self._irq = False

    def _inject(self, kind: int, channel: int, index: int) -> None:
        self._dram.inject(kind, channel, index)

    def _clear_faults(self) -> None:
        self._dram.clear_faults()

    def _failure(self) -> str:
        return self._dram.failure.message

    def _check(self) -> None:
        """Raise if the design failed, or the waveform."""
        if self._wave is not None:
            self._wave.check()
        super()._check()

    # --------------------------------------------------------------------------------------------

    def _cycle(self) -> None:
        """Run one clock cycle."""
        self._two_halves()
        self._cycles += 1

    def _two_halves(self) -> None:
        """Let the testbench do both halves of a cycle."""
        if self._closed:
            raise ValueError("the engine is closed")
        self._simulator.advance()
        self._simulator.advance()

    async def _testbench(self, context: Any) -> None:
        """Do one half of a cycle whenever the simulator advances."""
        clock, reset = self._domain.clk, self._domain.rst
        inputs = Cat(clock, reset, *(port for _, port in self._driven))
        pins = dict.fromkeys((name for name, _ in self._driven), 0)
        prefix = "m_axi_"
        while True:
            pins |= {"m_axi_rvalid": 0, "m_axi_bvalid": 0} | self._host
            if not self._in_reset:
                pins |= {prefix + name: value for name, value in self._dram.begin().items()}
            context.set(inputs, self._word(pins))
            if not self._in_reset:
                seen = {name: context.get(port) for name, port in self._read}
                self._dram.end({n[len(prefix) :]: v for n, v in seen.items() if prefix in n})
                self._sampled, self._irq = seen, bool(seen["irq"])
            await context.delay(_HALF_PERIOD)
            context.set(clock, 1)
            await context.delay(_HALF_PERIOD)

    def _word(self, pins: dict[str, int]) -> int:
        """Pack clock (low), reset and the driven ports into one number, to settle only once."""
        word, position = int(self._in_reset) << 1, 2
        for name, port in self._driven:
            word |= int(pins[name]) << position
            position += len(port)
        return word


def _ports(
    component: wiring.Component, prefix: str, channels: Mapping[str, Sequence[str]]
) -> list[tuple[str, Value]]:
    """Ports of the component with their full names."""
    names = [prefix + channel + name for channel, group in channels.items() for name in group]
    return [(name, Value.cast(getattr(component, name))) for name in names]
