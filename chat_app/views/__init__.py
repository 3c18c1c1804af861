"""Pages and fragments of the chat: each authorises, calls one service, and renders.

A form posted by htmx is answered with a fragment or a client-side redirect; the same form posted
without JavaScript with a redirect (303) to the page.
"""
