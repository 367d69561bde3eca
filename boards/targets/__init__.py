"""The performance that stillflow aims at, and what it measures: ``scripts/targets``."""
