"""What surrounds an accelerator on a board: memory behind its AXI4 port, a link to the host."""
