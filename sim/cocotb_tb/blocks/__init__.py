"""Testbenches of single blocks: the same on Verilator, on Icarus and on a netlist."""
