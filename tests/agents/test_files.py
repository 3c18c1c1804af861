"""Stored files: rows FI-1 to FI-7, names and types of strangers, and the vacuum."""

import hashlib
import os
import struct
import time
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from agents_app.errors import FileDamaged, FileTooLarge, StoredFileNotFound
from agents_app.knowledge.failures import failed
from agents_app.models import StoredFile
from agents_app.models.files import NAME_LIMIT
from agents_app.providers.base import ChatRequest
from agents_app.providers.openai_wire import request_body
from agents_app.providers.parts import ChatMessage, FilePart, Part, TextPart
from agents_app.providers.vision import sees_images
from agents_app.runtime.file_types import picture_size
from agents_app.services.files import (
    clean_filename,
    get_file,
    open_file,
    release_files,
    store_file,
    use_files,
)
from agents_app.services.keeping_files import vacuum_files
from agents_app.services.telling_files import TEXT_LIMIT, tell_files
from one_project.common.tenancy import in_tenant
from tests.people import World

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 3, 2) + b"\x08\x02\0\0\0rest"


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    """Where the bytes lie in this test."""
    files = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(tmp_path)},
    }
    settings.STORAGES = {**settings.STORAGES, "files": files}
    return tmp_path


def blobs(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def stored(world: World) -> dict[str, tuple[int, list[UUID]]]:
    with in_tenant(world.organisation.pk):
        rows = StoredFile.objects.filter(organisation=world.organisation)
        return {row.filename: (row.refcount, row.stored_by) for row in rows}


def age(world: World, *rows: StoredFile, hours: float = 25) -> None:
    with in_tenant(world.organisation.pk):
        past = timezone.now() - timedelta(hours=hours)
        StoredFile.objects.filter(pk__in=[row.pk for row in rows]).update(touched_at=past)


def test_the_same_file_is_kept_once_and_the_same_bytes_have_one_blob(
    world: World, folder: Path
) -> None:
    first = store_file(world.organisation, b"tea", filename="a.txt", created_by=world.alice)
    again = store_file(world.organisation, BytesIO(b"tea"), filename="a.txt", created_by=world.bob)
    other = store_file(world.organisation, iter([b"t", b"ea"]), filename="b.txt")
    assert again.pk == first.pk != other.pk
    assert stored(world) == {"a.txt": (0, [world.alice.pk, world.bob.pk]), "b.txt": (0, [])}
    [blob] = blobs(folder)
    digest = hashlib.sha256(b"tea").hexdigest()
    assert blob == folder / str(world.organisation.pk) / digest[:2] / digest
    assert blob.read_bytes() == b"tea"
    assert blob.stat().st_mode & 0o077 == 0
    with open_file(first) as file:
        assert file.read() == b"tea"
    store_file(world.elsewhere, b"tea", filename="a.txt")
    assert len(blobs(folder)) == 2


def test_a_hash_that_differs_and_a_file_that_is_too_large_leave_nothing(
    world: World, folder: Path, settings: Any
) -> None:
    settings.ONE_FILE_MAX_BYTES = 10
    digest = hashlib.sha256(b"tea").hexdigest()
    store_file(world.organisation, b"tea", filename="a", expected_sha256=digest.upper())
    with pytest.raises(FileDamaged):
        store_file(world.organisation, b"coffee", filename="b", expected_sha256=digest)
    for data in (b"x" * 11, BytesIO(b"x" * 11), iter([b"x" * 6, b"x" * 5])):
        with pytest.raises(FileTooLarge, match="the limit is"):
            store_file(world.organisation, data, filename="b")
    assert list(stored(world)) == ["a"]
    assert len(blobs(folder)) == 1


@pytest.mark.parametrize(
    ("data", "told", "name", "media_type"),
    [
        (PNG, "text/plain", "a.txt", "image/png"),
        (b"hello", "image/png", "a.png", "text/plain"),
        (b"%PDF-1.7 x", "", "a", "application/pdf"),
        (b"<svg xmlns='x'/>", "image/svg+xml", "a.svg", "application/octet-stream"),
        (b"\xff\xfb\x90\0\x07" * 9, "audio/mpeg", "a.mp3", "audio/mpeg"),
        (b"\xff\xfb\x90\0\x07" * 9, "image/png", "a.png", "application/octet-stream"),
        (b"", "", "a", "application/octet-stream"),
    ],
)
def test_the_type_is_that_of_the_bytes(
    world: World, data: bytes, told: str, name: str, media_type: str
) -> None:
    row = store_file(world.organisation, data, filename=name, media_type=told)
    assert row.media_type == media_type


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\report.pdf", "report.pdf"),
        ("in\r\nSet-Cookie: x=1.txt", "in Set-Cookie: x=1.txt"),
        ("annual\u202etxt.exe", "annualtxt.exe"),
        ("nul\0l.txt", "null.txt"),
        ("...", "file"),
        ("", "file"),
        ("x" * 400 + ".pdf", "x" * (NAME_LIMIT - 4) + ".pdf"),
        ('é "quoted"; 日本.txt', 'é "quoted"; 日本.txt'),
    ],
)
def test_names_of_strangers_are_only_names(name: str, kept: str) -> None:
    assert clean_filename(name) == kept


def test_uses_are_counted_and_never_below_none(world: World) -> None:
    row = store_file(world.organisation, b"tea", filename="a")
    use_files(world.organisation.pk, [row.pk, str(row.pk)])
    assert stored(world)["a"][0] == 2
    release_files(world.organisation.pk, [row.pk])
    assert stored(world)["a"][0] == 1
    release_files(world.organisation.pk, [row.pk, row.pk])
    assert stored(world)["a"][0] == 0
    with in_tenant(world.organisation.pk), pytest.raises(IntegrityError), transaction.atomic():
        StoredFile.objects.filter(pk=row.pk).update(refcount=F("refcount") - 1)


def test_another_organisation_neither_finds_nor_uses_a_file(world: World) -> None:
    row = store_file(world.organisation, b"tea", filename="a")
    for wanted in (row.pk, uuid4(), "no id", f"{{{row.pk}}}"):
        with pytest.raises(StoredFileNotFound):
            get_file(world.elsewhere.pk, wanted)
        with pytest.raises(StoredFileNotFound):
            use_files(world.elsewhere.pk, [wanted])
    assert stored(world)["a"][0] == 0
    assert get_file(world.organisation.pk, row.pk, inline=True).data == b"tea"


def test_a_file_becomes_an_image_part_or_a_file_part(world: World) -> None:
    picture = store_file(world.organisation, PNG, filename="a.png")
    note = store_file(world.organisation, b"tea", filename="a.txt")
    assert get_file(world.organisation.pk, picture.pk).is_image
    part = get_file(world.organisation.pk, str(note.pk))
    assert not part.is_image
    assert part.to_json() == {
        "type": "file",
        "file_id": str(note.pk),
        "filename": "a.txt",
        "media_type": "text/plain",
        "size": 3,
    }
    assert FilePart.from_json(part.to_json()) == part


# The vacuum


@pytest.mark.django_db(transaction=True)
def test_the_vacuum_takes_what_nobody_has_used_or_touched_for_a_day(
    committed_world: World, folder: Path
) -> None:
    world = committed_world
    keep = {
        name: store_file(world.organisation, name.encode(), filename=name)
        for name in ("used", "young", "again", "gone")
    }
    shared = store_file(world.organisation, b"used", filename="another name")
    use_files(world.organisation.pk, [keep["used"].pk])
    age(world, keep["used"], keep["again"], keep["gone"], shared)
    store_file(world.organisation, b"again", filename="again")  # touches it
    age(world, keep["young"], hours=23.9)
    assert vacuum_files() == 2
    assert set(stored(world)) == {"used", "young", "again"}
    # The bytes that another row still names stay.
    assert sorted(path.read_bytes() for path in blobs(folder)) == [b"again", b"used", b"young"]
    assert vacuum_files(force=True) == 2
    assert set(stored(world)) == {"used"}
    with pytest.raises(StoredFileNotFound):
        open_file(keep["gone"])


@pytest.mark.django_db(transaction=True)
def test_the_vacuum_finds_blobs_that_no_row_names(committed_world: World, folder: Path) -> None:
    row = store_file(committed_world.organisation, b"tea", filename="a")
    use_files(committed_world.organisation.pk, [row.pk])
    [blob] = blobs(folder)
    left = [blob.with_name("f" * 64), blob.with_name(f".{uuid4()}.part"), blob.with_name("e" * 64)]
    for path in left:
        path.write_bytes(b"?")
    yesterday = time.time() - 25 * 3600
    for path in (blob, *left[:2]):
        os.utime(path, (yesterday, yesterday))
    vacuum_files(force=True)
    assert set(blobs(folder)) == {blob, left[2]}


@pytest.mark.django_db(transaction=True)
def test_a_file_stored_again_while_its_blob_goes_is_whole(
    committed_world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the blob and its row the vacuum takes both."""
    from agents_app.services import files

    row = store_file(committed_world.organisation, b"tea", filename="a")
    lock = files.lock_blob

    def late(name: str) -> None:
        blobs(folder)[0].unlink()
        lock(name)

    monkeypatch.setattr(files, "lock_blob", late)
    assert store_file(committed_world.organisation, b"tea", filename="a").pk == row.pk
    assert [path.read_bytes() for path in blobs(folder)] == [b"tea"]


@pytest.mark.django_db(transaction=True)
def test_a_file_stored_again_while_its_row_goes_is_kept(
    committed_world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the row and its touch the vacuum has taken it."""
    organisation = committed_world.organisation
    row = store_file(organisation, b"tea", filename="a")
    find = QuerySet.first

    def late(rows: Any) -> Any:
        found = find(rows)
        if isinstance(found, StoredFile):
            StoredFile.objects.filter(pk=found.pk).delete()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(QuerySet, "first", late)
        again = store_file(organisation, b"tea", filename="a")
    assert again.pk != row.pk
    use_files(organisation.pk, [again.pk])


# What models are told


@pytest.fixture
def told(world: World) -> Callable[..., Any]:
    def tell(data: bytes, name: str, *, show: bool = True) -> Part:
        part = get_file(world.organisation.pk, store_file(
            world.organisation, data, filename=name).pk)  # fmt: skip
        shown = {part.file_id or ""} if show else set()
        return tell_files(world.organisation.pk, [part], pictures=shown)[part.file_id or ""]

    return tell


def test_text_is_told_as_text_and_read_once(
    world: World, told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told("Tee für zwei".encode(), "a.txt") == TextPart("\n\nFile a.txt: Tee für zwei\n")
    long = told("ü".encode() * 90_000, "long.txt").text
    assert long.count("ü") == TEXT_LIMIT
    assert long.endswith("… (the rest is left out)\n")
    monkeypatch.setattr("agents_app.services.telling_files.open_file", None)
    assert told("Tee für zwei".encode(), "a.txt") == TextPart("\n\nFile a.txt: Tee für zwei\n")


def test_documents_are_parsed_and_what_cannot_be_read_says_so(
    world: World, told: Callable[..., Any]
) -> None:
    page = told(b"<!doctype html><title>x</title><h1>Opening hours</h1><p>Nine to five.", "a.html")
    assert "Opening hours" in page.text
    assert "<h1>" not in page.text
    broken = told(b"%PDF-1.7 nothing more", "a.pdf").text
    assert broken.startswith("\n\nFile a.pdf: it could not be read.")
    assert told(b"\0\1\2" * 9, "a.bin").text.startswith("\n\nFile a.bin: it could not be read.")
    gone = FilePart("text/plain", filename="b.txt", file_id=str(uuid4()))
    [note] = tell_files(world.organisation.pk, [gone], pictures=set()).values()
    assert note == TextPart("\n\nFile b.txt: it is not there any more.\n")


def test_what_the_parser_gave_up_on_is_not_tried_at_every_step(
    told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def give_up(data: bytes, filename: str) -> None:
        tries.append(filename)
        raise failed("crashed")

    monkeypatch.setattr("agents_app.services.telling_files.parse_in_sandbox", give_up)
    notes = {told(b"%PDF-1.7 many pages", "a.pdf") for _ in range(3)}
    assert len(notes) == len(tries) == 1


def test_pictures_are_shown_unless_they_are_too_large(told: Callable[..., Any]) -> None:
    part = told(PNG, "a.png")
    assert (part.data, part.media_type, part.is_image) == (PNG, "image/png", True)
    assert "data" not in part.to_json()
    assert "earlier" in told(PNG, "a.png", show=False).text
    huge = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 5_000, 4_001)
    assert "too large" in told(huge, "a.png").text
    assert "too large" in told(b"\x89PNG\r\n\x1a\n cut", "b.png").text


def test_pictures_tell_their_size() -> None:
    assert picture_size(PNG) == (3, 2)
    assert picture_size(b"GIF89a" + struct.pack("<HH", 7, 5)) == (7, 5)
    jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc2\0\x11\x08" + struct.pack(">HH", 20, 30)
    assert picture_size(jpeg) == (30, 20)
    head = b"RIFF\0\0\0\0WEBP"
    assert picture_size(head + b"VP8X" + b"\0" * 8 + b"\x63\0\0\x31\0\0") == (100, 50)
    lossless = struct.pack("<I", 99 | 49 << 14)
    assert picture_size(head + b"VP8L\0\0\0\0\x2f" + lossless) == (100, 50)
    assert picture_size(head + b"VP8 " + b"\0" * 10 + struct.pack("<HH", 100, 50)) == (100, 50)
    for junk in (b"", b"\xff\xd8", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", head + b"VP8L"):
        assert picture_size(junk) is None


@pytest.mark.parametrize(
    ("model", "sees"),
    [
        ("gpt-5-mini", True), ("openai/gpt-4o-2024-08-06", True), ("ft:gpt-4.1-mini:acme", True),
        ("o3", True), ("o3-mini", False), ("gpt-3.5-turbo", False), ("gpt-4", False),
        ("claude-sonnet-4", True), ("claude-2.1", False), ("gemini-2.5-pro", True),
        ("qwen2.5-vl:7b", True), ("qwen2.5vl", True), ("llama3.2-vision:11b", True),
        ("llama3.1", False), ("gemma-3-12b-it", True), ("gemma-2-9b", False), ("new-model", False),
        ("one-demo", True),
    ],
)  # fmt: skip
def test_which_models_see_is_told_by_their_names(model: str, sees: bool) -> None:
    assert sees_images(model) is sees
    assert sees_images(model, {"sees_images": not sees}) is not sees


def test_a_blind_model_is_told_the_name_of_a_picture_and_the_option_stays_here() -> None:
    picture = FilePart("image/png", data=PNG, filename="cat.png")
    asked = ChatRequest(messages=(ChatMessage("user", (TextPart("See"), picture)),))
    [message] = request_body(asked, "llama3.1")["messages"]
    assert "cat.png" in message["content"]
    seeing = ChatRequest(messages=asked.messages, provider_options={"sees_images": True})
    body = request_body(seeing, "llama3.1")
    assert body["messages"][0]["content"][1]["type"] == "image_url"
    assert "sees_images" not in body
