"""Boards: clocks, pads, and the tools that make bitstreams."""
