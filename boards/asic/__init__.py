"""Standard cells: netlists, area, timing, power and gate-level simulation.

`liberty` reads a cell library, `macros` describes the SRAMs to the tools, `mapping` makes the
netlist, `areas` measures its blocks, `sta` runs OpenSTA, `gates` simulates it, `survey` does all of
that. `sram_map` and `collateral` are of generated folders, `layout` goes on to GDS, and `figures`
prints what is aimed at.
"""
