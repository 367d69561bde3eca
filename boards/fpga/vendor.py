"""Projects for Vivado, where open tools make no bitstream."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stillflow.boards.files import write_bytes
from stillflow.boards.fpga.board import Board
from stillflow.boards.fpga.flow import TOP, make_platform, tool
from stillflow.boards.fpga.pads import SYSTEM, BoardTop
from stillflow.boards.multipliers.files import paired_multipliers
from stillflow.boards.verilog import emit
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.system.system import System
from stillflow.hw.top import Accelerator

CORE = "stillflow"
_PACKAGE = """\
# vivado -mode batch -source {package}: packages the core with its AXI ports into ip/.
create_project -in_memory -part {part}
read_verilog {{{sources}}}
set_property top {core} [current_fileset]
ipx::package_project -root_dir ip -vendor stillflow -library stillflow -taxonomy /UserIP \\
  -import_files -set_current true
set core [ipx::current_core]
set_property name {core} $core
set_property display_name "stillflow DNN accelerator" $core
ipx::infer_bus_interfaces xilinx.com:interface:aximm_rtl:1.0 $core
ipx::infer_bus_interface clk xilinx.com:signal:clock_rtl:1.0 $core
ipx::infer_bus_interface rst xilinx.com:signal:reset_rtl:1.0 $core
ipx::infer_bus_interface irq xilinx.com:signal:interrupt_rtl:1.0 $core
set_property value ACTIVE_HIGH [ipx::add_bus_parameter POLARITY \\
  [ipx::get_bus_interfaces rst -of_objects $core]]
ipx::associate_bus_interfaces -busif s_axil -clock clk $core
ipx::associate_bus_interfaces -busif m_axi -clock clk $core
ipx::create_xgui_files $core
ipx::save_core $core
"""
_DESIGN = """\
# vivado -mode batch -source {design}: the processor, its memory and the core; a bitstream and .xsa.
create_project -force {name} project -part {part}
set_property ip_repo_paths ip [current_project]
update_ip_catalog
create_bd_design system
create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7 ps
apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 \\
  -config {{make_external "FIXED_IO, DDR"}} [get_bd_cells ps]
set_property -dict [list CONFIG.PCW_USE_M_AXI_GP0 1 CONFIG.PCW_USE_S_AXI_HP0 1 \\
  CONFIG.PCW_USE_FABRIC_INTERRUPT 1 CONFIG.PCW_IRQ_F2P_INTR 1 CONFIG.PCW_EN_CLK0_PORT 1 \\
  CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ {mhz:g}] [get_bd_cells ps]
create_bd_cell -type ip -vlnv stillflow:stillflow:{core} core
apply_bd_automation -rule xilinx.com:bd_rule:axi4 \\
  -config {{Master /ps/M_AXI_GP0 Clk /ps/FCLK_CLK0}} [get_bd_intf_pins core/s_axil]
apply_bd_automation -rule xilinx.com:bd_rule:axi4 \\
  -config {{Slave /ps/S_AXI_HP0 Clk /ps/FCLK_CLK0}} [get_bd_intf_pins core/m_axi]
connect_bd_net [get_bd_pins core/irq] [get_bd_pins ps/IRQ_F2P]
assign_bd_address
validate_bd_design
make_wrapper -top -import [get_files system.bd]
set_property top system_wrapper [current_fileset]
launch_runs impl_1 -to_step write_bitstream -jobs 2
wait_on_run impl_1
write_hw_platform -fixed -include_bit -force {name}.xsa
"""


def write_project(board: Board, config: AcceleratorConfig, folder: Path) -> list[str]:
    """Write a board's Vivado project: Verilog, constraints, scripts.

    Returns
    -------
    list[str]
        Scripts to run, in their order.
    """
    platform = make_platform(board)
    if board.memory is not None:
        files = emit(System(board.system(config)), SYSTEM)
        files = paired_multipliers(files, board.device.target, SYSTEM)
        for name, text in files.items():
            platform.add_file(name, text)
        with _yosys():
            plan = platform.prepare(BoardTop(board), TOP)
        left_out = {f"{TOP}.debug.v", f"build_{TOP}.sh", f"build_{TOP}.bat", f"build_{TOP}.json"}
        wanted = {name: text for name, text in plan.files.items() if name not in left_out}
        _write(folder, wanted)
        return [f"{TOP}.tcl"]
    part = f"{platform.device}{platform.package}-{platform.speed}"
    core = paired_multipliers(emit(Accelerator(config), CORE), board.device.target, CORE)
    keys = {"sources": " ".join(core), "part": part, "core": CORE, "name": board.name,
            "mhz": board.clock / 1e6, "package": "package.tcl", "design": "design.tcl"}  # fmt: skip
    scripts = {"package.tcl": _PACKAGE.format(**keys), "design.tcl": _DESIGN.format(**keys)}
    _write(folder, core | scripts)
    return list(scripts)


@contextmanager
def _yosys() -> Iterator[None]:
    """Let Amaranth, which writes the pads' Verilog itself, find a Yosys."""
    before = os.environ.get("YOSYS")
    os.environ.setdefault("YOSYS", tool("yosys"))
    try:
        yield
    finally:
        if before is None:
            del os.environ["YOSYS"]


def _write(folder: Path, files: dict[str, str] | dict[str, bytes]) -> None:
    for name, content in files.items():
        write_bytes(folder / name, content if isinstance(content, bytes) else content.encode())
