"""The rare chores around agents and documents, brought by beat."""

from celery import shared_task

from agents_app.services.ingesting import sweep_versions
from agents_app.services.space_tending import request_tending
from agents_app.services.tenant_indexes import sweep_tenant_indexes


@shared_task(name="agents_app.sweep_versions", ignore_result=True)  # type: ignore[untyped-decorator]
def sweep_documents() -> int:
    """Start documents that nobody carries on."""
    return sweep_versions()


@shared_task(name="agents_app.tend_spaces", ignore_result=True)  # type: ignore[untyped-decorator]
def tend_spaces() -> None:
    """Look after embedding spaces: another model, items without a vector."""
    request_tending()


@shared_task(name="agents_app.sweep_tenant_indexes", ignore_result=True)  # type: ignore[untyped-decorator]
def sweep_indexes() -> int:
    """Have large tenants get an index of their vectors, and small ones none."""
    return sweep_tenant_indexes()
