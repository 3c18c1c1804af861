"""Documents, their versions, and the text of their pages."""

from django.db import models
from django.db.models import F, Q

from agents_app.models.collections import Collection
from agents_app.models.files import StoredFile
from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity, Entity, choice_check
from one_project.workflows.models import WorkItem

TITLE_LIMIT = 300


class DocumentSource(models.TextChoices):
    UPLOAD = "upload"
    TEXT = "text", "Pasted text"
    WEB = "web", "Web page"


class VersionStatus(models.TextChoices):
    QUEUED = "queued"
    PARSING = "parsing"
    CHUNKING = "chunking"
    EMBEDDING = "embedding"
    READY = "ready"
    FAILED = "failed"
    CANCELED = "canceled"
    REPLACED = "replaced"


OPEN_VERSIONS = (
    VersionStatus.QUEUED,
    VersionStatus.PARSING,
    VersionStatus.CHUNKING,
    VersionStatus.EMBEDDING,
)


class DocumentQuerySet(models.QuerySet["Document"]):
    def readable_by(self, user: User | None, organisation: Organisation) -> "DocumentQuerySet":
        """Those of the collections the person may read."""
        collections = Collection.objects.readable_by(user, organisation)
        return self.filter(organisation=organisation, collection__in=collections)


class Document(ChangingEntity):
    """One thing people know by its title; ``current`` is the version that is searched.

    ``key`` is what makes a new upload a new version of the same document instead of another one:
    its folder and file name, or its address. ``importance`` multiplies the score of its passages.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="documents"
    )
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="documents")
    title = models.CharField(max_length=TITLE_LIMIT)
    source = models.CharField(max_length=6, choices=DocumentSource.choices)
    source_url = models.CharField(max_length=2000, blank=True)
    folder = models.CharField(max_length=500, blank=True)
    key = models.CharField(max_length=2600)
    importance = models.FloatField(default=1.0)
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="documents"
    )
    current = models.OneToOneField(
        "DocumentVersion", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    objects = DocumentQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("document_source_known", "source", DocumentSource),
            models.UniqueConstraint(fields=["collection", "key"], name="document_key_once"),
            models.CheckConstraint(
                name="document_importance_sane",
                condition=Q(importance__gte=0) & Q(importance__lte=10),
            ),
        ]
        indexes = [
            # A collection's list by title, and the scope of every search.
            models.Index(
                fields=["organisation", "collection", "title"], name="document_of_collection"
            ),
        ]

    def __str__(self) -> str:
        return self.title


class DocumentVersionQuerySet(models.QuerySet["DocumentVersion"]):
    def open(self) -> "DocumentVersionQuerySet":
        return self.filter(status__in=OPEN_VERSIONS)


class DocumentVersion(ChangingEntity):
    """One state of a document: a file, what was read from it, and how far that has got.

    ``queued`` → ``parsing`` → ``chunking`` → ``embedding`` → ``ready`` → ``replaced``; ``failed``
    and ``canceled`` end it on the way. The version before stays ``current`` until this one is
    ready. ``work`` is the piece of work that carries it on. ``error`` is told to people.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="document_versions"
    )
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    status = models.CharField(
        max_length=9, choices=VersionStatus.choices, default=VersionStatus.QUEUED
    )
    file = models.ForeignKey(
        StoredFile, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField(default=0)
    media_type = models.CharField(max_length=120, blank=True)
    pages_total = models.PositiveIntegerField(null=True, blank=True)
    pages_done = models.PositiveIntegerField(default=0)
    chunks_total = models.PositiveIntegerField(null=True, blank=True)
    chunks_done = models.PositiveIntegerField(default=0)
    warnings = models.JSONField(default=list, blank=True)
    error = models.TextField(blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    work = models.ForeignKey(
        WorkItem, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = DocumentVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("version_status_known", "status", VersionStatus),
            models.UniqueConstraint(fields=["document", "number"], name="version_number_once"),
        ]
        indexes = [
            # What is on its way, for the page that shows progress and for the sweep.
            models.Index(
                fields=["organisation", "updated_at"],
                name="version_on_its_way",
                condition=Q(status__in=["queued", "parsing", "chunking", "embedding"]),
            ),
            # The same file again.
            models.Index(fields=["organisation", "sha256"], name="version_by_content"),
        ]

    def __str__(self) -> str:
        return f"version {self.number} of {self.document_id}"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_VERSIONS


class DocumentPage(Entity):
    """The text of one page, slide or sheet; of a text without pages the only one.

    ``number`` counts from 1; ``label`` is the number people see, None where there are no pages.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(DocumentVersion, on_delete=models.CASCADE, related_name="pages")
    number = models.PositiveIntegerField()
    label = models.PositiveIntegerField(null=True, blank=True)
    text = models.TextField(blank=True)

    class Meta:
        ordering = [F("number").asc()]
        constraints = [
            models.UniqueConstraint(fields=["version", "number"], name="page_number_once"),
        ]

    def __str__(self) -> str:
        return f"page {self.number}"
