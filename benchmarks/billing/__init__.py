"""What the benchmark and the trial of billing are made of."""
