"""Algorithms: they decide, sum and word things, and store nothing."""
