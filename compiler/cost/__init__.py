"""Cost model: counters and cycles of a layer, predicted from its nest."""
