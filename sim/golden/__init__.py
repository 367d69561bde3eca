"""Golden model: what every layer computes, exactly. Shares types with ``hw``, never its logic."""
