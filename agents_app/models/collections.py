"""Collections of documents: what is shared, and what an agent may look things up in."""

from typing import Final

from django.db import models
from django.db.models import Q

from one_project.accounts.models import Grant, Membership, Organisation, User
from one_project.accounts.models.grants import granted_ids
from one_project.common.models import ChangingEntity

GRANTED: Final = "collection"  # ``Grant.object_type``
# The text search configurations every Postgres brings along; "simple" knows no language.
LANGUAGES: Final = (
    "simple", "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "estonian",
    "finnish", "french", "german", "greek", "hindi", "hungarian", "indonesian", "irish", "italian",
    "lithuanian", "nepali", "norwegian", "portuguese", "romanian", "russian", "serbian", "spanish",
    "swedish", "tamil", "turkish", "yiddish",
)  # fmt: skip


class CollectionQuerySet(models.QuerySet["Collection"]):
    def readable_by(self, user: User | None, organisation: Organisation) -> "CollectionQuerySet":
        """The person's own and those granted to them; for a program (None) those for everybody.

        One statement together with whatever it is put into: rights are part of every search.
        """
        found = self.filter(organisation=organisation)
        if user is None:
            everybody = Grant.objects.on(GRANTED).filter(
                organisation=organisation, user=None, team=None
            )
            return found.filter(pk__in=everybody.values("object_id"))
        member = Membership.objects.active().filter(user=user, organisation=organisation)
        return found.filter(
            Q(created_by=user) | Q(pk__in=granted_ids(user, organisation, GRANTED)),
            models.Exists(member),
        )


class Collection(ChangingEntity):
    """Documents that are shared together; private to ``created_by`` until granted to others.

    ``personal_of``: the one a person's documents go to unless they say otherwise. ``language`` is
    the text search configuration of its documents. ``chunk_count`` is kept by the services: it
    decides how the collection is searched.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="collections"
    )
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=500, blank=True)
    language = models.CharField(
        max_length=16, default="english", choices=[(name, name.title()) for name in LANGUAGES]
    )
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="collections"
    )
    personal_of = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    chunk_count = models.PositiveIntegerField(default=0)

    objects = CollectionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "personal_of"],
                name="collection_personal_once",
                condition=Q(personal_of__isnull=False),
            ),
            models.CheckConstraint(
                name="collection_language_known", condition=Q(language__in=LANGUAGES)
            ),
        ]
        indexes = [
            # The list of an organisation's collections by name.
            models.Index(fields=["organisation", "name"], name="collection_list"),
        ]

    def __str__(self) -> str:
        return self.name
