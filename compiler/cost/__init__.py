"""Cost model: what a layer costs, without running it."""
