"""What runs and work items have in common: somebody to tell when they end."""

from django.db import models


class Completion(models.TextChoices):
    """Whether ``on_complete`` has been called: not (yet) wanted, owed, done, given up."""

    NONE = ""
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


class Completed(models.Model):
    """The function called exactly once at the end, in the transaction that marks the end.

    When it raises, the end stands and the call is owed: ``completion`` is pending and tried again
    until it succeeds or has failed too often.
    """

    on_complete = models.CharField(max_length=200, blank=True)
    context = models.JSONField(null=True, blank=True)
    completion = models.CharField(max_length=7, blank=True, choices=Completion.choices)
    completion_tries = models.PositiveSmallIntegerField(default=0)
    completion_error = models.TextField(blank=True)

    class Meta:
        abstract = True
