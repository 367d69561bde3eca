"""What a single-data-rate SDRAM asks of its controller. Plain Python."""

import contextlib
from dataclasses import dataclass, replace

WORD_BITS = 16
#: Widths of a beat: bursts of 2, 4 or 8 words.
BEAT_BITS = (32, 64, 128)


@dataclass(frozen=True, kw_only=True)
class SdramTiming:
    """An SDRAM and the clock that it runs at.

    Parameters
    ----------
    clock : float
        Hz.
    row_bits, column_bits, bank_bits : int
        Address bits.
    cas_latency : int
        Cycles from a read to its first word: 2 or 3.
    lag : float
        Of the device's clock behind ours, in cycles: 0 to 1; see `at`.
    activate_ns, precharge_ns, row_ns, refresh_ns, write_ns : float
        tRCD, tRP, tRAS, tRFC and tWR of the data sheet.
    interval_ns : float
        tREFI: between two refreshes.
    start_ns : float
        From power and clock until the first command.
    access_ns, hold_ns : float
        tAC and tOH: from the device's clock to a word that has come, and that is still there.
    setup_ns, keep_ns : float
        tDS and tDH, the same for commands: how long a pin must stand before and behind the
        device's clock.
    round_trip_ns : float
        From our clock at its pin to the device, and from the device's pins into our register.

    Raises
    ------
    ValueError
        If the latency is none, the clock too slow for the refreshes, or no edge of the clock finds
        a word there.
    """

    clock: float
    row_bits: int = 13
    column_bits: int = 9
    bank_bits: int = 2
    cas_latency: int = 3
    lag: float = 0.25
    activate_ns: float = 20
    precharge_ns: float = 20
    row_ns: float = 45
    refresh_ns: float = 70
    write_ns: float = 20
    interval_ns: float = 7800
    start_ns: float = 200_000
    access_ns: float = 6.0
    hold_ns: float = 2.5
    setup_ns: float = 1.5
    keep_ns: float = 0.8
    round_trip_ns: float = 5.0

    def __post_init__(self) -> None:
        if self.cas_latency not in (2, 3):
            raise ValueError(f"cas_latency must be 2 or 3, not {self.cas_latency!r}")
        if self.cycles(self.interval_ns) < 4 * self.cycles(self.refresh_ns):
            raise ValueError(f"clock must leave time between refreshes, not {self.clock!r}")
        if self.margin_ns <= 0:
            raise ValueError(f"lag must let words come between edges, not {self.lag!r}")

    def cycles(self, time: float) -> int:
        """Cycles that take at least so many nanoseconds."""
        return max(1, -int(-time * self.clock // 1e9))

    @property
    def period_ns(self) -> float:
        """Of the clock."""
        return 1e9 / self.clock

    @property
    def _window(self) -> tuple[float, float]:
        """When the first word of a read is in front of our register, in ns behind its command."""
        edge = (self.lag + self.cas_latency) * self.period_ns + self.round_trip_ns
        return edge - self.period_ns + self.access_ns, edge + self.hold_ns

    @property
    def capture(self) -> int:
        """Clock edges from the one that brings a read to the pins to the one that takes a word.

        The edge that is farthest from both ends of the time that the word is there.
        """
        begin, end = self._window
        return round((begin + end) / 2 / self.period_ns)

    @property
    def margin_ns(self) -> float:
        """What is left for differences between pins, in the direction that has least."""
        begin, end = self._window
        edge, lag = self.capture * self.period_ns, self.lag * self.period_ns
        return min(
            edge - begin, end - edge, lag - self.setup_ns, self.period_ns - lag - self.keep_ns
        )

    def at(self, clock: float) -> "SdramTiming":
        """Give the device with another clock, and the lag, in eighths, that leaves most time.

        Raises
        ------
        ValueError
            If none leaves any.
        """
        found: list[SdramTiming] = []
        for eighths in range(1, 8):
            with contextlib.suppress(ValueError):
                found.append(replace(self, clock=clock, lag=eighths / 8))
        if not found:
            raise ValueError(f"clock must be one that the SDRAM can have, not {clock / 1e6:g} MHz")
        return max(found, key=lambda timing: timing.margin_ns)

    @property
    def size(self) -> int:
        """Bytes."""
        return (WORD_BITS // 8) << (self.row_bits + self.column_bits + self.bank_bits)
