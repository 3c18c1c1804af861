"""What Django's pages and mails about errors show: no secrets, in DEBUG neither.

Django's own filter does nothing in DEBUG. Ours always does, and shows local variables of our own
modules only, without those through which credentials pass.
"""

from types import FrameType
from typing import Any, Final

from django.http import HttpRequest, QueryDict
from django.views.debug import SafeExceptionReporterFilter

from one_project.common.masking import is_secret
from one_project.common.secrets_log import HIDDEN, without_secrets

_SHOWN: Final = ("one_project.", "agents_app.", "chat_app.", "flows_app.", "billing_app.")
_NOT_SHOWN: Final = ("one_project.common.sealing", "one_project.common.secrets_log")


class SecretsFilter(SafeExceptionReporterFilter):
    """DEFAULT_EXCEPTION_REPORTER_FILTER."""

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_post_parameters(self, request: HttpRequest | None) -> Any:
        given = super().get_post_parameters(request)
        kept = QueryDict(mutable=True)
        for name, values in dict(getattr(given, "lists", list)()).items():
            kept.setlist(name, [HIDDEN if _is_typed_secret(name) else one for one in values])
        return kept

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> Any:
        module = str(tb_frame.f_globals.get("__name__", ""))
        if not module.startswith(_SHOWN) or module.startswith(_NOT_SHOWN):
            return [(name, HIDDEN) for name in tb_frame.f_locals]
        found = super().get_traceback_frame_variables(request, tb_frame)
        return [(name, _shown(name, value)) for name, value in found]


def _is_typed_secret(name: str) -> bool:
    return is_secret(name) or name.startswith("credentials")


def _shown(name: str, value: Any) -> Any:
    if is_secret(name):
        return HIDDEN
    return without_secrets(value) if isinstance(value, str) else value
