"""Standard cells: netlists, area, timing, power and gate-level simulation.

`liberty` reads a cell library, `macros` describes the SRAMs to the tools, `mapping` makes the
netlist, `areas` measures its blocks, `timing` runs OpenSTA, `gates` simulates it, `activity` turns
what was simulated into power.
"""
