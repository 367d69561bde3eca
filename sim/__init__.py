"""Golden model, simulation engines and testbenches."""
