"""Fixtures of this folder: the servers that stand in for others' (see ``standins``)."""

from tests.integrations.standins.fixtures import (  # noqa: F401
    faulty_server,
    mcp_everything_http,
    mcp_everything_stdio_command,
    oauth_server,
    prism,
    prism_discord,
    prism_drive,
    prism_notion,
    prism_sendgrid,
    prism_slack,
    prism_telegram,
    prism_twilio,
    push_service,
)
