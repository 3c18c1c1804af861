"""Settings of Google Drive."""

from typing import Literal

from pydantic import Field

from integrations_app.providers.base import Form


class GoogleDriveSettings(Form):
    scope: Literal["drive.readonly", "drive.file"] = Field(
        "drive.readonly",
        title="What may be read",
        description="drive.readonly: every file of the person (Google checks such apps)."
        " drive.file: only files opened with this app.",
    )
