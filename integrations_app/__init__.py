"""Integrations, connections, channels, deliveries and notifications; tools and programs outside.

- ``models``: ``Integration`` (a provider, set up), ``Connection`` (an account linked by OAuth),
  ``Endpoint`` (an address), ``OAuthAttempt``; ``Channel``, ``ChannelRoute``, ``Topic``,
  ``Preference``; ``Delivery``, ``DeliveryAttempt``, ``InboundEvent``; ``NotificationWorkflow``,
  ``Notification`` with its events; ``ApiKey``, ``InboundHook``, ``McpServer``, ``HttpApi``,
  ``RemoteTool``. ``SealedField`` holds what is secret.
- ``providers``: one folder each, all made of ``base``; the doors (``http``, ``guarded``,
  ``sync_http``, ``aio_session``, ``smtp_door``), ``places`` (where providers are), ``addresses``
  (what may be reached); ``oauth``; ``mcp_client``, ``openapi``.
- ``runtime``: routing, addressing, conditions, steps of notifications, templates; no writes.
- ``services``: ``integrations``, ``testing``, ``connecting``, ``connections``, ``channels``,
  ``endpoints``; ``deliveries`` (queueing), ``attempts``, ``outcomes``, ``delivering`` (one try),
  ``health``, ``status_events``; ``notifications``, ``triggering``, ``inbox``, ``preferences``,
  ``topics``; ``mcp_servers``, ``http_apis``, ``remote_tools``, ``api_keys``, ``hooks``,
  ``inbound``.
- ``worker``: the durable run of a notification.

It imports billing_app and one_project.* only; agents_app and everything above import it, and are
told of things through what they register (``on_settled``, ``on_read``, ``on_approved``,
``register_target``).
"""
