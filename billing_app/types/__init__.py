"""Plain values of billing: rate limits, money, periods, uses."""
