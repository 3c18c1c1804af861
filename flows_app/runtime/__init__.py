"""The rules of flows, without a database: order, locks, percentages, transitions, their words."""
