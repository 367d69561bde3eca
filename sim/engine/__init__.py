"""Simulation engines: what runs the RTL, with the DRAM beside it."""
