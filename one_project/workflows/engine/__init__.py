"""Replay: a workflow function driven over its journal. Pure Python, no database."""
