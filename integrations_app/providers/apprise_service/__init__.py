"""Smaller services through Apprise, fenced: typed fields instead of its addresses (which could turn
checks off, follow redirects or read files), services by a list, and our door below it."""
