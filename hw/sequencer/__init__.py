"""Walkers over the loop nest: load, compute, store."""
