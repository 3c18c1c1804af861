"""HTTP interfaces of an organisation: a pinned address, and the operations that may be used."""

from dataclasses import dataclass
from typing import Final

from django.db import transaction

from integrations_app.errors import InvalidSettings
from integrations_app.models import HttpApi, RemoteTool
from integrations_app.providers.destinations import check_address
from integrations_app.providers.openapi import Operation, Spec, read_spec, single_operation
from integrations_app.services.fixed_header import check_moved, drop_header, set_header
from integrations_app.services.outside import record, save_with_slug, set_names
from integrations_app.services.remote_tools import (
    Counts,
    Seen,
    add_one,
    take_snapshot,
    withdraw_all,
)
from one_project.accounts.access import access_membership
from one_project.accounts.models import Organisation, Role, User
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.text import clean_line

MAX_APIS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiValues:
    """What an administrator decides. An empty ``header_value`` keeps the key that is there."""

    name: str
    slug: str
    base_url: str
    header_name: str = ""
    header_value: str = ""
    without_key: bool = False


def create_api(
    organisation: Organisation, *, by: User, values: ApiValues, spec: str = ""
) -> HttpApi:
    """A new interface, with the operations of ``spec`` (an OpenAPI description) if there is one.

    None of them may be used before it is chosen. Raises InvalidSettings, InvalidInput for the
    description, BadAddress, AddressRefused, AccessDenied, Conflict. Looks the name up, so not
    inside of a transaction.
    """
    access_membership(by, organisation, Role.ADMIN)
    api = HttpApi(organisation=organisation, created_by=by)
    _set(api, values)
    described = read_spec(spec) if spec.strip() else None
    with transaction.atomic():
        Organisation.objects.select_for_update().get(pk=organisation.pk)
        if HttpApi.objects.filter(organisation=organisation).count() >= MAX_APIS:
            raise Conflict(f"An organisation has at most {MAX_APIS} HTTP interfaces.")
        save_with_slug(api)
        if described is not None:
            take_snapshot(api, _seen(described))
        record(api, "http_api_created", by)
    return api


def change_api(api: HttpApi, *, by: User, values: ApiValues) -> HttpApi:
    """Change all of it but its operations; at another site none is approved any more.

    Raises as ``create_api``.
    """
    access_membership(by, api.organisation, Role.ADMIN)
    before = api.base_url
    has_moved = check_moved(before, values.base_url, api, values.header_value)
    _set(api, values)
    with transaction.atomic():
        if has_moved:
            withdraw_all(api)
        api.failures, api.last_error = 0, ""
        save_with_slug(api)
        record(api, "http_api_changed", by)
    return api


def read_again(api: HttpApi, *, by: User, spec: str) -> Counts:
    """Take a newer description: what changed waits for a look, what is missing is gone.

    Raises InvalidInput, AccessDenied.
    """
    access_membership(by, api.organisation, Role.ADMIN)
    described = read_spec(spec)
    with transaction.atomic():
        kept = HttpApi.objects.select_for_update(of=("self",)).get(pk=api.pk)
        by_hand = RemoteTool.objects.filter(api=kept, meta__by_hand=True, gone_at=None)
        counts = take_snapshot(kept, _seen(described), keep=by_hand)
        record(kept, "http_api_described", by)
    return counts


def add_operation(
    api: HttpApi, *, by: User, name: str, method: str, path: str, description: str
) -> RemoteTool:
    """One made by hand, without a description of the whole. Raises InvalidInput, AccessDenied."""
    access_membership(by, api.organisation, Role.ADMIN)
    if not name.strip() or not description.strip():
        raise InvalidInput("Please give it a name and say what it does.")
    made = single_operation(name=name, method=method, path=path.strip(), description=description)
    with transaction.atomic():
        kept = HttpApi.objects.select_for_update(of=("self",)).get(pk=api.pk)
        tool = add_one(kept, _one(made), meta={"by_hand": True})
        record(kept, "http_operation_added", by)
    return tool


def _set(api: HttpApi, values: ApiValues) -> None:
    set_names(api, values.name, values.slug)
    url = values.base_url.strip().rstrip("/")
    if "?" in url or "#" in url or len(url) > 400:
        raise InvalidSettings({"base_url": "An address without ? and #, 400 characters at most."})
    check_address(url)
    api.base_url = url
    if values.without_key:
        drop_header(api)
    else:
        set_header(api, values.header_name, values.header_value)


def _seen(spec: Spec) -> list[Seen]:
    return [_one(operation) for operation in spec.operations]


def _one(operation: Operation) -> Seen:
    return Seen(
        name=clean_line(operation.name, 128),
        title=operation.title,
        description=operation.description,
        parameters=operation.parameters,
        operation=operation.stored,
        problem=operation.problem,
    )
