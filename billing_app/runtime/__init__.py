"""Algorithms of the limits: they decide and store nothing."""
