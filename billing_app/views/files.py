"""Files that are made for the person who asks: saved and never shown, kept by no cache."""

from django.http import HttpResponse
from django.utils.http import content_disposition_header


def pdf_response(content: bytes, filename: str) -> HttpResponse:
    """A PDF to save."""
    response = HttpResponse(content, content_type="application/pdf")
    disposition = content_disposition_header(True, filename)
    response.headers["Content-Disposition"] = disposition or "attachment"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response
