"""What the providers of e-mail share: letters, tries with a deadline, refusals, webhooks.

``forms`` the sender as settings · ``letters`` content as a letter · ``attempt`` one blocking try ·
``refusals`` what a status means · ``family`` the base of all that django-anymail speaks to ·
``signatures`` and ``tracking`` webhooks.
"""
