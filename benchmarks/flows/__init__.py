"""What ``make bench-flows`` is made of."""
