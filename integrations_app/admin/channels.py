"""Channels, topics and preferences, in the admin."""

from django.contrib import admin

from integrations_app.admin.records import RecordAdmin, RecordInline
from integrations_app.models import Channel, ChannelRoute, Preference, Topic, TopicSubscription
from integrations_app.runtime.condition_words import in_words
from one_project.accounts.tenant_admin import OrganisationFilter


class RouteInline(RecordInline[ChannelRoute, Channel]):
    model = ChannelRoute
    fields = ["position", "integration", "endpoint", "when"]

    @admin.display(description="when")
    def when(self, row: ChannelRoute) -> str:
        return in_words(row.condition)


@admin.register(Channel)
class ChannelAdmin(RecordAdmin[Channel]):
    """They are changed on the page of channels."""

    list_display = ["name", "key", "channel_type", "team", "is_active", "organisation"]
    list_select_related = ["team", "organisation"]
    list_filter = ["channel_type", "is_active", OrganisationFilter]
    search_fields = ["name", "key"]
    inlines = [RouteInline]


class SubscriptionInline(RecordInline[TopicSubscription, Topic]):
    model = TopicSubscription
    fields = ["user", "muted", "created_at"]


@admin.register(Topic)
class TopicAdmin(RecordAdmin[Topic]):
    list_display = ["name", "key", "organisation", "created_at"]
    list_select_related = ["organisation"]
    list_filter = [OrganisationFilter]
    search_fields = ["name", "key"]
    inlines = [SubscriptionInline]


@admin.register(Preference)
class PreferenceAdmin(RecordAdmin[Preference]):
    """A person's own; to see why something was not sent."""

    list_display = ["user", "category", "channel_type", "is_on", "updated_at"]
    list_select_related = ["user"]
    list_filter = ["channel_type", "is_on", OrganisationFilter]
    search_fields = ["user__email", "category"]
    id_fields = ["id", "user"]
