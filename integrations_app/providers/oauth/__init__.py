"""OAuth 2: what each service wants (``services``), and the talk with its server (``client``).

``connector`` is the base of providers whose content agents read through linked accounts.
"""
