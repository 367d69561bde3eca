"""Post-processing: psums of the array to words of the ofmap."""
