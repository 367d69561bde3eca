"""What synthesis makes of a design: sizes, depths, and the rule on what a cycle may hold."""
