"""What the mapper minimises."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from stillflow.compiler.counts import EnergyCosts

Minimised = Literal["cycles", "energy", "dram"]
MINIMISED: tuple[Minimised, ...] = get_args(Minimised)


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a nest is chosen for, and what accesses cost.

    Parameters
    ----------
    minimise : str
        ``cycles``, ``energy`` or ``dram`` (bytes).
    costs : EnergyCosts
        Of accesses; reports use them, too.

    Raises
    ------
    ValueError
        If there is nothing of that name to minimise.
    """

    minimise: Minimised = "cycles"
    costs: EnergyCosts = field(default_factory=EnergyCosts)

    def __post_init__(self) -> None:
        if self.minimise not in MINIMISED:
            raise ValueError(
                f"objective must be one of {', '.join(MINIMISED)}, not {self.minimise!r}"
            )


CYCLES = Objective()
