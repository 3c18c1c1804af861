"""What the views share: where to go next, and what a service complained about."""

from django.contrib import messages as notices
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from integrations_app.errors import InvalidSettings
from integrations_app.forms.fields import ServiceForm
from one_project.common.errors import AppError, Conflict, InvalidInput


def go_to(request: HttpRequest, address: str, notice: str = "") -> HttpResponse:
    """Send the browser to ``address`` (303), with a notice."""
    if notice:
        notices.success(request, notice)
    response = redirect(address)
    response.status_code = 303
    return response


def complain(form: ServiceForm, error: AppError) -> int:
    """Put what a service complained about into the form; the status to answer with.

    Raises the error again where it is not about what was typed.
    """
    if isinstance(error, InvalidSettings):
        form.complain(error.problems)
    elif isinstance(error, InvalidInput | Conflict):
        # An address that is refused: beside the box where it was typed.
        boxes = [name for name in form.fields if name.split("__")[-1] in ("host", "url", "address")]
        form.add_error(
            boxes[0] if boxes and error.code in _OF_ADDRESS else None, error.user_message
        )
    else:
        raise error
    return error.status


_OF_ADDRESS = ("bad_address", "address_refused")
