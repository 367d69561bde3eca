"""Testbench of the accelerator at its AXI ports, for cocotb: see `tb_top` and `runner`."""
