"""Search by words and by meaning, for whatever has words (``tsvector``) and vectors.

- ``texts``: how texts are made ready: accents folded, what is embedded, its hash.
- ``legs``: one statement that ranks a scope by words and by vectors, at most 20 of each.
- ``fusion``: reciprocal rank fusion of the two.
- ``large``: the same for tenants with too many rows to look at each.
- ``chunks``: the search over documents, with the rights of everybody concerned.

The rules and the figures behind them are in docs/search.md. Reads; who may see what is in the
scope that the caller gives.
"""
