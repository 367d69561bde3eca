"""Control: registers of the host, program fetch, counters, interrupt."""
