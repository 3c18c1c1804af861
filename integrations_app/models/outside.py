"""Programs: keys they come with, hooks they call, MCP servers and HTTP interfaces we call."""

from django.db import models

from integrations_app.models.integrations import Connection, Integration
from integrations_app.models.sealed import SealedField
from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity, Entity, choice_check


class ApiKey(ChangingEntity):
    """A program's key; shown once, stored as SHA-256. It acts for ``user`` within ``scopes``:
    ``notify``, ``mcp``, ``knowledge``, ``tools``. ``prefix`` tells it apart."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="api_keys"
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16)
    key_hash = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    # Names of the tools it may call over MCP; empty with the scope ``tools``: those that only read.
    tools = models.JSONField(default=list, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            # The page of keys.
            models.Index(fields=["organisation", "user"], name="api_key_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class IdempotencyRecord(Entity):
    """What a request with an ``Idempotency-Key`` was answered; kept for 24 hours.

    ``status`` None: it is being answered (409 for the same key); ``body_hash`` differs: 422.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="idempotency_records"
    )
    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="idempotency")
    key = models.CharField(max_length=200)
    method_path = models.CharField(max_length=200)
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    answer = models.JSONField(default=dict, blank=True)
    # Until then an unanswered one counts as in progress.
    busy_until = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key", "key"], name="idempotency_key_once"),
        ]
        indexes = [
            # The sweep that forgets.
            models.Index(fields=["created_at"], name="idempotency_age"),
        ]

    def __str__(self) -> str:
        return self.key


class HookTarget(models.TextChoices):
    """What an inbound event starts."""

    NOTIFICATION = "notification", "A notification"
    THREAD = "thread", "A thread with an agent"
    WORKFLOW = "workflow", "A workflow"


class InboundHook(ChangingEntity):
    """An address of ours that programs call: ``/hooks/<id>/``, signed with ``secret``.

    ``scheme``: how they sign (``standard``: Standard Webhooks, ``slack``, ``github``). ``target``
    and ``config`` say what an event starts, for ``user`` and with this person's rights.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="inbound_hooks"
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="inbound_hooks")
    name = models.CharField(max_length=120)
    scheme = models.CharField(max_length=16, default="standard")
    secret = SealedField()
    target = models.CharField(max_length=12, choices=HookTarget.choices)
    config = models.JSONField(default=dict, blank=True)
    is_active = models.BooleanField(default=True)
    last_event_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [choice_check("inbound_hook_target_known", "target", HookTarget)]

    def __str__(self) -> str:
        return self.name


class Transport(models.TextChoices):
    HTTP = "http", "Streamable HTTP"
    # A program on this machine: only what the operator has configured (ONE_MCP_STDIO).
    STDIO = "stdio", "Program of the operator"


class ServerAuth(models.TextChoices):
    NONE = "none", "None"
    STATIC = "static", "A fixed key"
    OAUTH = "oauth", "A connection"


class McpServer(ChangingEntity):
    """A server whose tools agents may be given. ``url`` for HTTP; ``command``: the operator's name
    of a program, for stdio. ``credentials``: a fixed header (``name``, ``value``)."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="mcp_servers"
    )
    name = models.CharField(max_length=120)
    # Part of its tools' names: ``slack__post_message``.
    slug = models.SlugField(max_length=24)
    transport = models.CharField(max_length=5, choices=Transport.choices, default=Transport.HTTP)
    url = models.CharField(max_length=500, blank=True)
    command = models.CharField(max_length=64, blank=True)
    auth = models.CharField(max_length=6, choices=ServerAuth.choices, default=ServerAuth.NONE)
    credentials = SealedField()
    hint = models.CharField(max_length=200, blank=True)
    # With ``oauth``: whose connections are used.
    integration = models.ForeignKey(
        Integration, on_delete=models.SET_NULL, null=True, blank=True, related_name="mcp_servers"
    )
    # A shared one; without it the asking person's own connection.
    connection = models.ForeignKey(
        Connection, on_delete=models.SET_NULL, null=True, blank=True, related_name="mcp_servers"
    )
    is_active = models.BooleanField(default=True)
    last_ok_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    failures = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        constraints = [
            choice_check("mcp_transport_known", "transport", Transport),
            choice_check("mcp_auth_known", "auth", ServerAuth),
            models.UniqueConstraint(fields=["organisation", "slug"], name="mcp_slug_unique"),
        ]

    def __str__(self) -> str:
        return self.name


class HttpApi(ChangingEntity):
    """An HTTP interface with chosen operations. ``base_url`` is pinned; ``credentials``: a fixed
    header (``name``, ``value``)."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="http_apis"
    )
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=24)
    base_url = models.CharField(max_length=500)
    credentials = SealedField()
    hint = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    last_ok_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    failures = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "slug"], name="http_api_slug_unique"),
        ]

    def __str__(self) -> str:
        return self.name


class RemoteTool(ChangingEntity):
    """A tool of an MCP server or an operation of an HTTP interface, as it was last described.

    ``schema_hash`` is of what is described now, ``approved_hash`` of what an admin has looked at:
    only while both are equal may it be used. ``operation``: method, path and where each argument
    goes. ``hints``: what the server says of its effect; not believed, shown to the admin.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="remote_tools"
    )
    server = models.ForeignKey(
        McpServer, on_delete=models.CASCADE, null=True, blank=True, related_name="tools"
    )
    api = models.ForeignKey(
        HttpApi, on_delete=models.CASCADE, null=True, blank=True, related_name="operations"
    )
    name = models.CharField(max_length=128)
    title = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    parameters = models.JSONField(default=dict)
    operation = models.JSONField(default=dict, blank=True)
    hints = models.JSONField(default=dict, blank=True)
    schema_hash = models.CharField(max_length=64)
    approved_hash = models.CharField(max_length=64, blank=True)
    approved_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    # What was approved, to show the difference.
    approved_as = models.JSONField(default=dict, blank=True)
    # No longer described by its server.
    gone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="remote_tool_of_one",
                condition=models.Q(server=None) ^ models.Q(api=None),
            ),
            models.UniqueConstraint(
                fields=["server", "api", "name"],
                nulls_distinct=False,
                name="remote_tool_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_approved(self) -> bool:
        return bool(self.approved_hash) and self.approved_hash == self.schema_hash
