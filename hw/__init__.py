"""The accelerator in Amaranth, and the plain-Python types that describe its work."""
