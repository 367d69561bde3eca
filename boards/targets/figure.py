"""A figure of the table: what was measured, what is aimed at, what is possible."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line.

    Parameters
    ----------
    subject : str
        What is measured, on which accelerator.
    measured : float
        The figure.
    target : float
        What it should reach, or stay below.
    bound : float, optional
        What was calculated as possible, for one design in closed form; another may pass it.
    comparison : str
        What others reach.
    unit : str
        ``%``, ``cycles``, ``s``, ``frames/s``, ``words`` or ``ratio``.
    at_most : bool
        Less is better.
    """

    subject: str
    measured: float
    target: float
    bound: float | None = None
    comparison: str = ""
    unit: str = "%"
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure reaches its target."""
        return self.measured <= self.target if self.at_most else self.measured >= self.target

    def shown(self, value: float | None) -> str:
        """Give a value of this figure's unit as text."""
        if value is None:
            return "-"
        digits = {"%": 1, "cycles": 0, "s": 2, "frames/s": 2, "words": 4, "ratio": 2}[self.unit]
        return f"{value:,.{digits}f}"

    def as_report(self) -> dict[str, object]:
        """Give the line under its report names."""
        return {
            "subject": self.subject, "unit": self.unit, "measured": self.measured,
            "target": self.target, "bound": self.bound, "comparison": self.comparison,
            "at_most": self.at_most, "met": self.met,
        }  # fmt: skip
