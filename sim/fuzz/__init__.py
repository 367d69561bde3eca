"""Random accelerators and layers of every kind, for `scripts/fuzz`."""
