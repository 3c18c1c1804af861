"""How much one file may cost."""

from dataclasses import dataclass

from agents_app.knowledge.failures import ParseFailed, failed

MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """Limits of reading one file.

    seconds: of the clock and of the processor, plus ``seconds_per_mb`` of the file's size.
    memory_mb: address space of the process. unpacked_mb and ratio (unpacked to packed) are for
    zips, which DOCX, PPTX and XLSX are. pages: of a PDF, slides or sheets.
    """

    seconds: float = 60.0
    seconds_per_mb: float = 5.0
    memory_mb: int = 1024
    file_mb: int = 200
    unpacked_mb: int = 500
    ratio: int = 300
    entries: int = 20_000
    pages: int = 5_000
    text_chars: int = 20_000_000

    def seconds_for(self, size: int) -> float:
        """Seconds that a file of ``size`` bytes may take."""
        return self.seconds + self.seconds_per_mb * size / MB

    def failed(self, code: str, *, detail: str = "", size: int = 0) -> ParseFailed:
        """The failure ``code`` with these limits in its text; ``size`` bytes has the file."""
        return failed(
            code,
            detail=detail,
            seconds=self.seconds_for(size),
            memory_mb=self.memory_mb,
            file_mb=self.file_mb,
            unpacked_mb=self.unpacked_mb,
            pages=self.pages,
            text_chars=self.text_chars,
        )


class Budget:
    """Counts the letters and the pages of one document while it is read."""

    def __init__(self, limits: ParseLimits) -> None:
        self.limits = limits
        self._chars = 0

    def pages(self, count: int) -> None:
        """Raises ParseFailed for more pages than allowed."""
        if count > self.limits.pages:
            raise self.limits.failed("too_many_pages")

    def text(self, count: int) -> None:
        """Count ``count`` letters more. Raises ParseFailed beyond the limit."""
        self._chars += count
        if self._chars > self.limits.text_chars:
            raise self.limits.failed("too_much_text")
