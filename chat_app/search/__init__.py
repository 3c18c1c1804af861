"""Finding what was said: which entries a person may search, and what belongs around a hit.

- ``entries``: a message as it is indexed, and as it is embedded.
- ``finding``: the search itself, over the threads its caller names.
- ``ranges``: the messages around the hits.
"""
