"""Dividers of PLLs. Plain Python."""

from dataclasses import dataclass
from typing import TypeVar

_VCO = (400e6, 800e6)  # ECP5, FPGA-DS-02012, table 3.19
_PHASE_DETECTOR = (3.125e6, 400e6)
_MOST_DIVIDER = 128
_XC7_VCO = (800e6, 1600e6)
_XC7_PHASE_DETECTOR = (19e6, 450e6)
LARGEST_ERROR = 0.01  # of a frequency


@dataclass(frozen=True, kw_only=True)
class Ecp5Pll:
    """Dividers of an EHXPLLL whose feedback is its first output.

    Parameters
    ----------
    source : float
        Hz at the input.
    input_divider, feedback_divider, output_divider : int
        CLKI_DIV, CLKFB_DIV and CLKOP_DIV.
    """

    source: float
    input_divider: int
    feedback_divider: int
    output_divider: int

    @classmethod
    def find(cls, source: float, wanted: float) -> "Ecp5Pll":
        """Find the dividers that come nearest to a frequency.

        Raises
        ------
        ValueError
            If none come within `LARGEST_ERROR`.
        """
        found = [
            cls(source=source, input_divider=i, feedback_divider=f, output_divider=o)
            for i in range(1, _MOST_DIVIDER + 1)
            if _PHASE_DETECTOR[0] <= source / i <= _PHASE_DETECTOR[1]
            for f in range(1, _MOST_DIVIDER + 1)
            for o in range(2, _MOST_DIVIDER + 1, 2)
            if _VCO[0] <= source / i * f * o <= _VCO[1]
        ]
        best = min(
            found,
            # Of equal ones the fastest oscillator, whose steps of phase are finest.
            key=lambda pll: (
                round(abs(pll.frequency - wanted)),
                -pll.frequency * pll.output_divider,
            ),
            default=None,
        )
        return _near(best, source, wanted)

    @property
    def frequency(self) -> float:
        """Hz at both outputs."""
        return self.source / self.input_divider * self.feedback_divider

    def parameters(self, lag: float) -> dict[str, str | int]:
        """Parameters of the primitive; its second output lags by a share of a cycle."""
        eighths = round(lag * self.output_divider * 8)  # of an oscillator's cycle
        first = self.output_divider // 2 - 1
        return {
            "PLLRST_ENA": "DISABLED", "INTFB_WAKE": "DISABLED", "STDBY_ENABLE": "DISABLED",
            "DPHASE_SOURCE": "DISABLED", "FEEDBK_PATH": "CLKOP",
            "OUTDIVIDER_MUXA": "DIVA", "OUTDIVIDER_MUXB": "DIVB",
            "CLKI_DIV": self.input_divider, "CLKFB_DIV": self.feedback_divider,
            "CLKOP_ENABLE": "ENABLED", "CLKOP_DIV": self.output_divider,
            "CLKOP_CPHASE": first, "CLKOP_FPHASE": 0,
            "CLKOS_ENABLE": "ENABLED", "CLKOS_DIV": self.output_divider,
            "CLKOS_CPHASE": first + eighths // 8, "CLKOS_FPHASE": eighths % 8,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Xc7Pll:
    """Dividers of a PLLE2 (DS181, table 38).

    Parameters
    ----------
    source : float
        Hz at the input.
    input_divider, multiplier, output_divider : int
        DIVCLK_DIVIDE, CLKFBOUT_MULT and CLKOUT0_DIVIDE.
    """

    source: float
    input_divider: int
    multiplier: int
    output_divider: int

    @classmethod
    def find(cls, source: float, wanted: float) -> "Xc7Pll":
        """Find the dividers that come nearest to a frequency.

        Raises
        ------
        ValueError
            If none come within `LARGEST_ERROR`.
        """
        found = [
            cls(source=source, input_divider=i, multiplier=f, output_divider=o)
            for i in range(1, 57)
            if _XC7_PHASE_DETECTOR[0] <= source / i <= _XC7_PHASE_DETECTOR[1]
            for f in range(2, 65)
            if _XC7_VCO[0] <= source / i * f <= _XC7_VCO[1]
            for o in range(1, 129)
        ]
        best = min(found, key=lambda pll: abs(pll.frequency - wanted), default=None)
        return _near(best, source, wanted)

    @property
    def frequency(self) -> float:
        """Hz at the output."""
        return self.source / self.input_divider * self.multiplier / self.output_divider


_Pll = TypeVar("_Pll", Ecp5Pll, Xc7Pll)


def _near(best: _Pll | None, source: float, wanted: float) -> _Pll:
    """Refuse what is too far away."""
    if best is None or abs(best.frequency - wanted) > LARGEST_ERROR * wanted:
        raise ValueError(
            f"clock must be one that a PLL can make of {source / 1e6:g} MHz, "
            f"not {wanted / 1e6:g} MHz"
        )
    return best
