"""Secrets at rest: bound to their row, never given out by forms or dumps."""

import pytest
from django.core import serializers
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.forms.models import model_to_dict

from integrations_app.models import Integration
from one_project.common.sealing import SealBroken, key_id_of, new_key, parsed_keys, seal, unseal
from tests.people import World

SECRET = "canary-3f2a77-credential"


def make(world: World, **fields: object) -> Integration:
    return Integration.objects.create(
        organisation=world.organisation,
        name="Mail",
        provider="smtp",
        channel_type="email",
        credentials={"password": SECRET},
        **fields,
    )


def stored(row: Integration) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM integrations_app_integration WHERE id=%s", [row.pk])
        return str(cursor.fetchone()[0])


def test_stored_sealed_and_read_back(world: World) -> None:
    row = make(world)
    assert SECRET not in stored(row)
    assert key_id_of(stored(row)) == "test"
    assert row.credentials == {"password": SECRET}
    fresh = Integration.objects.defer("credentials").get(pk=row.pk)
    assert fresh.credentials == {"password": SECRET}
    fresh.credentials["password"] = "changed in a copy only"
    fresh.name = "Post"
    fresh.save()
    assert Integration.objects.get(pk=row.pk).credentials == {"password": SECRET}


def test_bulk_created_rows_are_sealed_too(world: World) -> None:
    row = Integration(
        organisation=world.organisation,
        name="x",
        provider="smtp",
        channel_type="email",
        credentials={"password": SECRET},
    )
    Integration.objects.bulk_create([row])
    assert SECRET not in stored(row)
    assert Integration.objects.get(pk=row.pk).credentials == {"password": SECRET}


def test_moved_to_another_row_it_does_not_open(world: World) -> None:
    one, other = make(world), make(world)
    Integration.objects.filter(pk=other.pk).update(credentials=stored(one))
    with pytest.raises(SealBroken):
        _ = Integration.objects.get(pk=other.pk).credentials


def test_altered_or_foreign_text_never_comes_back_as_it_is() -> None:
    sealed = seal({"a": 1}, "x:1:y")
    assert unseal(sealed, "x:1:y") == {"a": 1}
    for broken in (sealed[:-4] + "AAAA", "plain text", sealed.replace("test", "gone"), "v1:test:"):
        with pytest.raises(SealBroken) as caught:
            unseal(broken, "x:1:y")
        assert "plain text" not in str(caught.value)


def test_a_plain_update_of_secrets_is_refused(world: World) -> None:
    with pytest.raises(TypeError):
        Integration.objects.update(credentials={"password": SECRET})


def test_forms_dumps_and_repr_show_nothing(world: World) -> None:
    row = make(world)
    assert SECRET not in serializers.serialize("json", [row])
    assert stored(row) not in serializers.serialize("json", [row])
    assert "credentials" not in model_to_dict(row)
    assert SECRET not in repr(row)


@pytest.mark.parametrize("text", ["", "nocolon", "k:short", "k:" + "A" * 43 + "=,k:" + "B" * 43])
def test_unusable_keys_are_refused_without_being_told(text: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        parsed_keys(text)
    assert "AAAA" not in str(caught.value)


def test_new_keys_can_be_used() -> None:
    assert list(parsed_keys(f"b:{new_key()},a:{new_key()}")) == ["b", "a"]
