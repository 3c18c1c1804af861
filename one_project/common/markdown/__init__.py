"""Markdown of people and models to safe HTML, whole or while it streams.

``render`` for a finished text, ``StreamRenderer`` for a growing one (both end in the same HTML),
``plain_text`` for one line without markup. Text is untrusted: nothing it holds can run, load or
submit anything, and no text takes time out of proportion to its length.

The dialect is CommonMark with GitHub's tables, strikethrough, bare links and task lists, with line
breaks kept, and these departures: raw HTML is shown as text, pictures become links, headings start
at ``h3``, link references are shown as written.
"""

from one_project.common.markdown.blocks import MAX_RENDER_BYTES
from one_project.common.markdown.plain import plain_text
from one_project.common.markdown.rendering import render
from one_project.common.markdown.stream import Record, StreamRenderer

__all__ = ["MAX_RENDER_BYTES", "Record", "StreamRenderer", "plain_text", "render"]
