"""Targets, Verilog packages and the command line."""
