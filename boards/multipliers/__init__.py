"""The PEs' multipliers made of the FPGA families' own primitives."""
