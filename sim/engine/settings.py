"""Settings of an engine, what it counts, and how it fails."""

from dataclasses import dataclass, fields


class EngineUnavailable(RuntimeError):
    """The machine lacks something that the engine needs; the message names it."""


class SimulationError(RuntimeError):
    """The design broke the AXI protocol, refused a register access or failed an assertion."""


def check_integer(name: str, value: object, low: int) -> None:
    """Raise unless ``value`` is an integer of at least ``low``."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    if value < low:
        raise ValueError(f"{name} must be at least {low}, not {value!r}")


@dataclass(frozen=True, kw_only=True)
class DramTiming:
    """Timing of the DRAM; ``dram.hpp`` defines it to the cycle.

    Parameters
    ----------
    latency : int
        Cycles from a read's address to its first beat, and from a write's last beat to its
        acknowledgement.
    bytes_per_cycle : int or None
        What reads and writes move together in a cycle; None: one AXI beat.

    Raises
    ------
    TypeError
        If a parameter is no integer.
    ValueError
        If a parameter is below 1.
    """

    latency: int = 40
    bytes_per_cycle: int | None = None

    def __post_init__(self) -> None:
        check_integer("latency", self.latency, 1)
        if self.bytes_per_cycle is not None:
            check_integer("bytes_per_cycle", self.bytes_per_cycle, 1)


@dataclass(frozen=True, kw_only=True)
class Stalls:
    """A memory that stalls at random, for tests: the probability per channel and cycle.

    Parameters
    ----------
    seed : int
        The same seed stalls in the same cycles, in every engine.
    ar, aw, w, r, b : float
        Probability that the channel's ready (AR, AW, W) or new valid (R, B) is held back.

    Raises
    ------
    ValueError
        If a probability is outside 0..1, or is 1: nothing would ever move.
    """

    seed: int = 0
    ar: float = 0.25
    aw: float = 0.25
    w: float = 0.25
    r: float = 0.25
    b: float = 0.25

    def __post_init__(self) -> None:
        check_integer("seed", self.seed, 0)
        for key in fields(self)[1:]:
            value = getattr(self, key.name)
            if not 0 <= value < 1:
                raise ValueError(f"{key.name} must be at least 0 and below 1, not {value!r}")

    def thresholds(self) -> tuple[int, int, int, int, int]:
        """Probabilities in units of 2**-32, in the order in which they are drawn."""
        ar, aw, w, r, b = (int(p * (1 << 32)) for p in (self.ar, self.aw, self.w, self.r, self.b))
        return ar, aw, w, r, b


@dataclass(frozen=True)
class Traffic:
    """What crossed the AXI4 port since the start or the last reset.

    Parameters
    ----------
    read_bursts, read_beats : int
        AR and R handshakes.
    write_bursts, write_beats : int
        AW and W handshakes.
    acknowledged : int
        B handshakes.
    """

    read_bursts: int
    read_beats: int
    write_bursts: int
    write_beats: int
    acknowledged: int
