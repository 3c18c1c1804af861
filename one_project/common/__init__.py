"""What every app stands on: ids, base models, errors, clock, publishing, Markdown.

Imports none of our other packages. Map:

- ``models``: abstract bases (UUIDv7 key, timestamps, ``meta``)
- ``errors``: typed errors with a sentence for people, a code for programs and an HTTP status
- ``text``: cleaning of text that came from outside
- ``publish``: wake the sockets (best effort, after commit)
- ``cursors``: opaque cursors of pages; ``read_only``: the admin of what is only looked at
- ``markdown``: the one door from Markdown to HTML
- ``middleware``, ``pages``: how errors and HTMX answers leave the house
"""
