"""Settings of OneDrive."""

from pydantic import Field

from integrations_app.providers.base import Form


class OneDriveSettings(Form):
    tenant: str = Field(
        "common",
        title="Directory",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,99}$",
        description="Of Microsoft: common for every account, or the id of your own directory.",
    )
