"""Rate limits; prices, usage, budgets and invoices come here too.

Where things are:

- ``types``: ``RateLimit`` (token bucket or fixed window), ``Verdict``, and ``calculate``, the
  arithmetic. ``conf``: the installation's limits, one line of text each. ``errors``.
- ``models``: ``RateLimitState``, what is left of a limit for a key, in one shard.
- ``runtime.deciding``: whether a count may be taken from one or two shards.
- ``services``: ``rate_limits`` (define_limit, limit, check, charge, refund, get_value, reset,
  clear_all) and ``sending``, what the chat calls (take_message, take_thread, check_tokens,
  settle_tokens, next_send_in).

It may import one_project.* only; every app above may import it. See docs/rate-limits.md.
"""
