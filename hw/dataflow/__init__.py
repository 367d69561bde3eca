"""The dataflows: each is what stands between the buffers' DMA and the ofmap words."""
