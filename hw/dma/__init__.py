"""AXI4 master: read and write engines."""
