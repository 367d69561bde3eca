"""What a flow for standard cells wants beside the Verilog."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from stillflow.boards.asic.sram_map import Macro
from stillflow.boards.verilog import VerilogStyle

UTILIZATION = 40  # percent of the core, for a first run


@dataclass(frozen=True, kw_only=True)
class AsicOptions:
    """How Verilog for standard cells is written.

    Parameters
    ----------
    style : VerilogStyle
        Reset and clocks.
    macros : Mapping[str, Macro]
        SRAM unit to the macro that takes its place.
    """

    style: VerilogStyle
    macros: Mapping[str, Macro] = field(default_factory=dict)

    def as_json(self, units: Iterable[str]) -> dict[str, Any]:
        """Describe the options for the manifest of a design with these SRAM units."""
        macros = {unit: self.macros[unit].name for unit in units if unit in self.macros}
        return {"name": "asic", "macros": macros, **asdict(self.style)}


def flow_files(verilog: Iterable[str], period_ns: float) -> dict[str, str]:
    """Write the configurations of OpenROAD-flow-scripts and LibreLane.

    Parameters
    ----------
    verilog : Iterable[str]
        Verilog files.
    period_ns : float
        Clock period, in nanoseconds.

    Returns
    -------
    dict[str, str]
        ``config.mk`` and ``config.json``.
    """
    names = list(verilog)
    listed = " \\\n".join(f"  $(DESIGN_HOME)/{name}" for name in names)
    make = f"""\
# OpenROAD-flow-scripts: make DESIGN_CONFIG=.../config.mk PLATFORM=...
export DESIGN_NAME = stillflow
export DESIGN_HOME := $(dir $(lastword $(MAKEFILE_LIST)))
export VERILOG_FILES = \\
{listed}
export SDC_FILE = $(DESIGN_HOME)/stillflow.sdc
export CORE_UTILIZATION = {UTILIZATION}
export SYNTH_HIERARCHICAL = 1
# With macros: ADDITIONAL_LEFS, ADDITIONAL_LIBS and ADDITIONAL_GDS.
"""
    libre = {
        "DESIGN_NAME": "stillflow",
        "VERILOG_FILES": [f"dir::{name}" for name in names],
        "CLOCK_PORT": "clk",
        "CLOCK_PERIOD": period_ns,
        "PNR_SDC_FILE": "dir::stillflow.sdc",
        "SIGNOFF_SDC_FILE": "dir::stillflow.sdc",
        "FP_CORE_UTIL": UTILIZATION,
    }
    return {"config.mk": make, "config.json": json.dumps(libre, indent=2) + "\n"}
