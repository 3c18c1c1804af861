"""What an integration that links accounts needs: our app, as the service has registered it."""

from pydantic import Field, SecretStr

from integrations_app.providers.base import Form


class AppCredentials(Form):
    """Of the app, not of a person: each person's consent becomes a connection."""

    client_id: str = Field(
        title="Client ID", min_length=1, max_length=300, description="As the service shows it."
    )
    client_secret: SecretStr = Field(title="Client secret", min_length=1, max_length=500)
