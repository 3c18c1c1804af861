"""Why a file cannot be read, said so that a person knows what to do."""

from typing import Final

from one_project.common.errors import InvalidInput

TEXTS: Final = {
    "damaged": "This file is damaged or incomplete. Please open it, save it again and retry.",
    "password": "This file needs a password. Please remove the password and upload it again.",
    "no_text": "There is no text in this file.",
    "scanned": "This file has no text layer: its pages are pictures (scanned?). Please run text"
    " recognition (OCR) on it first.",
    "image": "This is a picture; there is no text in it to search.",
    "timeout": "Reading this file took longer than {seconds:.0f} s. Please split it.",
    "memory": "Reading this file needs more than {memory_mb:,} MB of memory. Please split it.",
    "too_large": "This file is larger than {file_mb:,} MB. Please split it.",
    "too_many_pages": "This file has more than {pages:,} pages. Please split it.",
    "too_much_text": "This file has more than {text_chars:,} letters of text. Please split it.",
    "unpacks_too_large": "This file unpacks to more than {unpacked_mb:,} MB.",
    "suspicious": "This file unpacks to far more than any usual document. It was not opened.",
    "stopped": "Reading this file was cancelled.",
    "crashed": "The reader of this file gave up: it is damaged, or larger than it can hold.",
}


class ParseFailed(InvalidInput):
    """A file that could not be read. ``code`` is a key of TEXTS, or ``unsupported_file``."""

    code = "parse_failed"

    def __init__(self, code: str, user_message: str, *, detail: str = "") -> None:
        super().__init__(user_message, detail=detail)
        self.code = code


class UnsupportedFile(ParseFailed):
    """A kind of file that is not read here; the message says which it is and what to do."""

    code = "unsupported_file"

    def __init__(self, user_message: str) -> None:
        super().__init__(self.code, user_message)


def unsupported(what: str, advice: str) -> UnsupportedFile:
    """``what`` it is, with its article, and what to do, a sentence."""
    return UnsupportedFile(f"This is {what}, which cannot be read. {advice}")


def failed(code: str, *, detail: str = "", **values: float) -> ParseFailed:
    """The failure ``code`` with its text; ``values`` are those that the text names."""
    return ParseFailed(code, TEXTS[code].format(**values), detail=detail)
