"""The rare chores around agents and documents, brought by beat."""

from celery import shared_task

from agents_app.services.ingesting import sweep_versions
from agents_app.services.space_building import tend_spaces as tend
from one_project.workflows.services.work import enqueue


@shared_task(name="agents_app.sweep_versions", ignore_result=True)  # type: ignore[untyped-decorator]
def sweep_documents() -> int:
    """Start documents that nobody carries on."""
    return sweep_versions()


@shared_task(name="agents_app.tend_spaces", ignore_result=True)  # type: ignore[untyped-decorator]
def tend_spaces() -> None:
    """Look after embedding spaces: another model, items without a vector."""
    enqueue(tend)
