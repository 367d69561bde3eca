"""Verilog around a system: the SDRAM beside it, and ports for a testbench."""

from dataclasses import dataclass
from importlib.resources import files

from stillflow.hw.system.sdram_timing import SdramTiming

TOP = "board_testbench"
SYSTEM = "stillflow_system"  # module of `stillflow.hw.system.system.System`
STORED_BITS = 20  # 16-bit words that the model keeps: 2 MiB


@dataclass(frozen=True, kw_only=True)
class DqTiming:
    """When the words of a read are on the chip's pins, seen from the chip's clock.

    Parameters
    ----------
    begin_ns, end_ns : float
        From an edge of the chip's clock that sends a command to when the first word of a read
        with a latency of one cycle is there, and no longer there.
    """

    begin_ns: float
    end_ns: float

    @classmethod
    def of(cls, timing: SdramTiming) -> "DqTiming":
        """Add up the delays of pads and device that `SdramTiming` states."""
        lag = timing.lag * timing.period_ns
        return cls(
            begin_ns=lag + timing.round_trip_ns + timing.access_ns,
            end_ns=lag + timing.period_ns + timing.round_trip_ns + timing.hold_ns,
        )

    def edges(self, period_ns: float) -> tuple[int, float, float]:
        """Whole cycles until the word is there; the rest in ns; for how long it is there, ns."""
        whole, rest = divmod(self.begin_ns, period_ns)
        return int(whole), rest, self.end_ns - self.begin_ns


def around_system(memory: int | SdramTiming) -> dict[str, str]:
    """Give the files beside those of the system: module `TOP`.

    Its ports are ``clk rst i_rx o_tx o_irq o_heard``; with an SDRAM also ``sdram_clk`` and
    ``dq_clk`` (see the model), ``o_violations`` and ``o_last_violation``.
    """
    common = ["i_rx", "o_tx", "o_irq", "o_heard"]
    if isinstance(memory, int):
        return {f"{TOP}.v": _TOP.format(ports="", inside="", pins=_connected(common), top=TOP,
                                        system=SYSTEM)}  # fmt: skip
    numbers = {
        "ROW_BITS": memory.row_bits, "COLUMN_BITS": memory.column_bits,
        "BANK_BITS": memory.bank_bits, "CAS_LATENCY": memory.cas_latency,
        "ACTIVATE": memory.cycles(memory.activate_ns),
        "PRECHARGE": memory.cycles(memory.precharge_ns), "ROW": memory.cycles(memory.row_ns),
        "REFRESH": memory.cycles(memory.refresh_ns), "WRITE": memory.cycles(memory.write_ns),
        "START": memory.cycles(memory.start_ns), "INTERVAL": memory.cycles(memory.interval_ns),
        "STORED_BITS": STORED_BITS,
    }  # fmt: skip
    # The word leaves behind the edge before the one at which the device's latency ends.
    whole, rest, _ = DqTiming.of(memory).edges(memory.period_ns)
    late = whole - (rest < memory.lag * memory.period_ns)
    numbers["STAGE"] = memory.cas_latency - 1 + late
    parameters = ", ".join(f".{name}({number})" for name, number in numbers.items())
    inside = _SDRAM.format(
        row=memory.row_bits - 1, bank=memory.bank_bits - 1, parameters=parameters
    )
    pins = ["o_command", "o_address", "o_bank", "o_mask", "o_dq", "o_dq_drive", "i_dq"]
    return {
        "sdram.v": files("stillflow.sim.board").joinpath("sdram.v").read_text(),
        f"{TOP}.v": _TOP.format(
            ports=_SDRAM_PORTS,
            inside=inside,
            pins=_connected([*common, *(f"sdram_{pin}" for pin in pins)]),
            top=TOP,
            system=SYSTEM,
        ),
    }


def _connected(names: list[str]) -> str:
    return ", ".join(f".{name}({name})" for name in ("clk", "rst", *names))


_TOP = """\
module {top} (
  input clk,
  input rst,
  input i_rx,
  output o_tx,
  output o_irq,
  output o_heard{ports}
);
{inside}  {system} system ({pins});
endmodule
"""
_SDRAM_PORTS = """,
  input sdram_clk,
  input dq_clk,
  output [31:0] o_violations,
  output [3:0] o_last_violation"""
_SDRAM = """\
  wire [2:0] sdram_o_command;
  wire [{row}:0] sdram_o_address;
  wire [{bank}:0] sdram_o_bank;
  wire [1:0] sdram_o_mask;
  wire [15:0] sdram_o_dq, sdram_i_dq;
  wire sdram_o_dq_drive;
  sdram #({parameters}) memory (
    .clk(sdram_clk), .restart(rst), .dq_clk(dq_clk), .command(sdram_o_command),
    .address(sdram_o_address), .bank(sdram_o_bank), .mask(sdram_o_mask),
    .dq_in(sdram_o_dq), .dq_in_drive(sdram_o_dq_drive),
    .dq_out(sdram_i_dq), .violations(o_violations), .last_violation(o_last_violation)
  );
"""
