"""The document beside a thread's conversation, its versions, and the log of its edits."""

from django.db import models

from agents_app.models import Agent
from chat_app.models.messages import Message
from chat_app.models.threads import Thread
from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity, Entity, choice_check


class CanvasKind(models.TextChoices):
    MARKDOWN = "markdown", "Text (Markdown)"
    CODE = "code", "Code"


class EditKind(models.TextChoices):
    CREATE = "create", "began the canvas"
    EDIT = "edit", "changed a passage"
    REWRITE = "rewrite", "wrote it anew"
    RESTORE = "restore", "restored an earlier version"


class Canvas(ChangingEntity):
    """The present state; ``version`` is the number of its newest CanvasVersion.

    ``seq`` is the number of the thread's change that wrote it, for viewers who catch up.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="canvases"
    )
    thread = models.OneToOneField(Thread, on_delete=models.CASCADE, related_name="canvas")
    title = models.CharField(max_length=120, blank=True)
    kind = models.CharField(max_length=8, choices=CanvasKind.choices, default=CanvasKind.MARKDOWN)
    language = models.CharField(max_length=30, blank=True)
    text = models.TextField(blank=True)
    version = models.PositiveIntegerField(default=1)
    seq = models.BigIntegerField(default=0)
    # Who wrote this version, also when they are gone.
    author_name = models.CharField(max_length=120, blank=True)

    class Meta:
        verbose_name_plural = "canvases"
        constraints = [choice_check("canvas_kind_known", "kind", CanvasKind)]

    def __str__(self) -> str:
        return self.display_title

    @property
    def display_title(self) -> str:
        return self.title or "Canvas"


class CanvasVersion(Entity):
    """The whole canvas as it once was. Never changed, never dropped while the thread is there."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="canvas_versions"
    )
    canvas = models.ForeignKey(Canvas, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=120, blank=True)
    kind = models.CharField(max_length=8, choices=CanvasKind.choices)
    language = models.CharField(max_length=30, blank=True)
    text = models.TextField(blank=True)
    user = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="canvas_versions"
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.SET_NULL, null=True, blank=True, related_name="canvas_versions"
    )
    author_name = models.CharField(max_length=120, blank=True)
    # The message that asked for it, where an agent wrote.
    message = models.ForeignKey(
        Message, on_delete=models.SET_NULL, null=True, blank=True, related_name="canvas_versions"
    )
    restored_from = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            choice_check("canvas_version_kind_known", "kind", CanvasKind),
            # Also the index of the history, newest first, and of reading one version.
            models.UniqueConstraint(fields=["canvas", "number"], name="canvas_version_once"),
        ]

    def __str__(self) -> str:
        return f"version {self.number} of {self.canvas_id}"


class ThreadEdit(Entity):
    """One edit of a thread's canvas: what stood there, what stands there now, and who asked.

    ``before`` and ``after`` are snippets around the change. ``position`` is the offset of the
    change in the text after it, in characters; ``length`` how many characters were written there
    (0: something was taken out).
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="thread_edits"
    )
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="edits")
    canvas = models.ForeignKey(Canvas, on_delete=models.CASCADE, related_name="edits")
    user = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="thread_edits"
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.SET_NULL, null=True, blank=True, related_name="thread_edits"
    )
    actor_name = models.CharField(max_length=120, blank=True)
    kind = models.CharField(max_length=7, choices=EditKind.choices)
    before = models.TextField(blank=True)
    after = models.TextField(blank=True)
    position = models.PositiveIntegerField(default=0)
    length = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField()
    message = models.ForeignKey(
        Message, on_delete=models.SET_NULL, null=True, blank=True, related_name="thread_edits"
    )

    class Meta:
        constraints = [
            choice_check("thread_edit_kind_known", "kind", EditKind),
            # One edit makes one version; also the index of a thread's newest edits.
            models.UniqueConstraint(fields=["thread", "version"], name="thread_edit_once"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.get_kind_display()}"
