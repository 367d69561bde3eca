"""Processing elements and how their products meet the psums."""
