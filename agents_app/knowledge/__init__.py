"""From the bytes of a file to pieces that can be found: type, text, chunks. Stores nothing.

- ``media``: what a file is, by its content (``sniff``); ``encoding``: bytes as text
- ``parsed``: the values: ``ParsedDocument``, its pages and headings
- ``failures``: ``ParseFailed`` and ``UnsupportedFile``, with a sentence for people
- ``bounds``: ``ParseLimits``; ``archives``: zips checked before a library reads them
- ``parse``: one door to ``parse_pdf``, ``parse_docx``, ``parse_slides``, ``parse_sheets``,
  ``parse_text`` and ``parse_mail``. Files come from strangers: call it through the sandbox only
- ``sandbox``: ``parse_in_sandbox`` runs ``child`` in a process with hard limits and no secrets
- ``chunking``: ``chunk`` cuts a document, ``embedding_text`` is what gets a vector
"""
