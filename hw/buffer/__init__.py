"""On-chip memories outside the PEs."""
