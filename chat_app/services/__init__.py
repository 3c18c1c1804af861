"""Verbs on threads, messages and turns. Each is atomic and announces what changed on commit."""
