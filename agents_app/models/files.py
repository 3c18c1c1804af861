"""Files that messages carry: what they are called, and who may use them. The bytes are blobs."""

from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity

NAME_LIMIT: Final = 255
# What browsers show as a picture and can do no harm with; SVG is a document with scripts.
PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


class StoredFile(ChangingEntity):
    """One file of an organisation: its bytes (``sha256``) under one name and type.

    ``refcount``: messages that carry it; one that nobody carries is removed a day after
    ``touched_at``. ``stored_by``: keys of all who have brought these bytes under this name.
    ``text``: what could be read in it for models that take text; None until it was tried. Under
    row-level security: only within ``in_tenant``.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="stored_files"
    )
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    filename = models.CharField(max_length=NAME_LIMIT)
    media_type = models.CharField(max_length=120)
    storage_name = models.CharField(max_length=200)
    refcount = models.PositiveIntegerField(default=0)
    touched_at = models.DateTimeField(default=timezone.now)
    # No constraint: to remove a person must not need the tenant of each of their files.
    created_by = models.ForeignKey(
        User,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="stored_files",
    )
    stored_by = ArrayField(models.UUIDField(), default=list, blank=True)
    text = models.TextField(null=True, blank=True)  # noqa: DJ001 - None: not read yet

    class Meta:
        constraints = [
            # FI-2; also the index of all rows that share a blob.
            models.UniqueConstraint(
                fields=["organisation", "sha256", "filename", "media_type"],
                name="stored_file_unique",
            ),
            models.CheckConstraint(
                name="stored_file_not_negative", condition=Q(refcount__gte=0, size__gte=0)
            ),
        ]
        indexes = [
            # The vacuum: what nobody uses, by how long ago it was touched.
            models.Index(
                fields=["organisation", "touched_at"],
                name="stored_file_unused",
                condition=Q(refcount=0),
            ),
        ]

    def __str__(self) -> str:
        return self.filename

    @property
    def is_picture(self) -> bool:
        """Whether browsers may show it in the page, and models that see may be given it."""
        return self.media_type in PICTURES
