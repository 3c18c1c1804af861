"""CommonMark with GitHub's tables, strikethrough and bare links, by the C library in cmarkgfm.

The library is called directly and not through ``cmarkgfm.cmark`` for two reasons found by
measuring. That wrapper never frees the tree nor the HTML (60 bytes stay for each byte rendered,
so a worker that streams all day would not live through it). And this cmark keeps the extensions'
special characters in one table for the whole process, which two threads change under each other;
``PyDLL`` holds the GIL for the call, and calls are short (a block is at most 64 KB, 50 ms at the
worst input known).
"""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

from cmarkgfm import _cmark, cmark

# Not "tagfilter": it only rewrites raw HTML, of which ``guards`` leaves none. No option is set
# that allows raw HTML either, so what slipped through would be left out ("safe" mode).
EXTENSIONS = ("table", "strikethrough", "autolink")
OPTIONS: int = cmark.Options.CMARK_OPT_HARDBREAKS  # in a chat, a line break is meant

_POINTER = ctypes.c_void_p


class _Allocator(ctypes.Structure):
    """``cmark_mem``: three C functions, of which only ``free`` is needed."""

    _fields_ = [
        ("calloc", _POINTER),
        ("realloc", _POINTER),
        ("free", ctypes.PYFUNCTYPE(None, _POINTER)),
    ]


def _direct() -> Callable[[str], str]:
    """A function from Markdown to HTML over the shared library's own symbols.

    Raises OSError or AttributeError where the platform's build does not export them.
    """
    library = ctypes.PyDLL(_cmark.__file__)

    def function(name: str, result: Any, *arguments: Any) -> Any:
        found = getattr(library, name)
        found.restype, found.argtypes = result, arguments
        return found

    new_parser = function("cmark_parser_new", _POINTER, ctypes.c_int)
    attach = function("cmark_parser_attach_syntax_extension", ctypes.c_int, _POINTER, _POINTER)
    feed = function("cmark_parser_feed", None, _POINTER, ctypes.c_char_p, ctypes.c_size_t)
    finish = function("cmark_parser_finish", _POINTER, _POINTER)
    attached = function("cmark_parser_get_syntax_extensions", _POINTER, _POINTER)
    render = function("cmark_render_html", _POINTER, _POINTER, ctypes.c_int, _POINTER)
    free_node = function("cmark_node_free", None, _POINTER)
    free_parser = function("cmark_parser_free", None, _POINTER)
    allocator = function("cmark_get_default_mem_allocator", ctypes.POINTER(_Allocator))
    find = function("cmark_find_syntax_extension", _POINTER, ctypes.c_char_p)
    function("cmark_gfm_core_extensions_ensure_registered", None)()
    extensions = [find(name.encode()) for name in EXTENSIONS]
    release = allocator().contents.free

    def to_html(text: str) -> str:
        source = text.encode()
        parser = new_parser(OPTIONS)
        for extension in extensions:
            attach(parser, extension)
        feed(parser, source, len(source))
        root = finish(parser)
        html = render(root, OPTIONS, attached(parser))
        try:
            return ctypes.string_at(html).decode()
        finally:
            release(html)
            free_node(root)
            free_parser(parser)

    return to_html


def _wrapped() -> Callable[[str], str]:
    """The same over cmarkgfm's Python wrapper: correct, but it never frees memory."""
    names = list(EXTENSIONS)

    def to_html(text: str) -> str:
        html: str = cmark.markdown_to_html_with_extensions(text, OPTIONS, names)
        return html

    return to_html


@cache
def _converter() -> Callable[[str], str]:
    try:
        return _direct()
    except (OSError, AttributeError):
        return _wrapped()


def to_html(text: str) -> str:
    """HTML of a clean text (no lone surrogates, no NUL) of at most a block's size."""
    return _converter()(text)
