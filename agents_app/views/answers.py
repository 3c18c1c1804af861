"""What the views share: where to go next, and showing a form again with what is wrong in it."""

from django.contrib import messages as notices
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from agents_app.errors import InvalidFields
from agents_app.forms.fields import ServiceForm
from one_project.common.errors import AppError, Conflict, InvalidInput

# What a list shows at once; its search box finds the others.
LISTED = 200


def go_to(request: HttpRequest, address: str, notice: str = "", undo: str = "") -> HttpResponse:
    """Send the browser to ``address`` (303), with a notice that may offer to ``undo``."""
    if notice:
        notices.success(request, notice, extra_tags=undo)
    response = redirect(address)
    response.status_code = 303
    return response


def complain(form: ServiceForm, error: AppError, prefix: str = "") -> int:
    """Put what a service complained about into the form; the status to answer with.

    Raises the error again where it is not about what was typed.
    """
    if isinstance(error, InvalidFields):
        form.complain(error, prefix)
    elif isinstance(error, InvalidInput | Conflict):
        form.add_error(None, error.user_message)
    else:
        raise error
    return error.status
