"""A made-up year of usage, to look at and to measure: the same for the same seed, every time.

- ``catalogue``: which models are called, how often, with how many tokens.
- ``tariffs``: what each of them cost when, asked of the pricing that real calls go through.
- ``calendar``: how many calls each day has.
- ``rows``: one statement that writes the calls of some days, for any number of organisations.
- ``houses``: whose usage it is. ``budgets``: limits that show something.
- ``year``: all of it, month after month, with the invoices if wanted.
"""
