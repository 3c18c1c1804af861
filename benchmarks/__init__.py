"""Measurements of the whole house: ``make bench-stream``, ``bench-pages``, ``trial-turns``.

Each starts a private stack (``stack``) on loopback, loads it, stops everything it started, prints
a table, and ends with one line of JSON. Nothing here is imported by the product.
"""
