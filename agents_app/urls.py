"""Addresses of agents, prompts and tools, and of what they know."""

from django.urls import URLPattern, path

from agents_app.views import (
    agents,
    editing,
    integration_tools,
    knowledge,
    knowledge_adding,
    knowledge_collections,
    knowledge_documents,
    knowledge_reading,
    knowledge_search,
    prompts,
    tools,
)

app_name = "agents"

urlpatterns: list[URLPattern] = [
    path("", agents.agent_list, name="list"),
    path("new/", editing.new_agent, name="new"),
    path("prompts/", prompts.prompt_list, name="prompts"),
    path("prompts/new/", prompts.new_prompt, name="new_prompt"),
    path("prompts/pick/", prompts.pick, name="pick_prompt"),
    path("prompts/<uuid:prompt_id>/", prompts.prompt_page, name="prompt"),
    path("prompts/<uuid:prompt_id>/restore/", prompts.restore, name="restore_prompt"),
    path("prompts/<uuid:prompt_id>/delete/", prompts.delete, name="delete_prompt"),
    path("prompts/<uuid:prompt_id>/share/", prompts.share_prompt, name="share_prompt"),
    path("tools/", tools.tool_list, name="tools"),
    path("tools/new/", tools.new_tool, name="new_tool"),
    path("tools/integration/", integration_tools.new_integration_tool, name="integration_tool"),
    path("tools/policy/", tools.policy, name="tool_policy"),
    path("tools/<uuid:tool_id>/", tools.edit_tool, name="tool"),
    path("tools/<uuid:tool_id>/delete/", tools.delete, name="delete_tool"),
    path("<uuid:agent_id>/", agents.agent_page, name="agent"),
    path("<uuid:agent_id>/edit/", editing.edit_agent, name="edit"),
    path("<uuid:agent_id>/delete/", agents.delete, name="delete"),
    path("<uuid:agent_id>/restore/", agents.restore, name="restore"),
    path("<uuid:agent_id>/duplicate/", agents.duplicate, name="duplicate"),
]

# Mounted at /knowledge/, as "knowledge".
knowledge_urls: list[URLPattern] = [
    path("", knowledge.home, name="home"),
    path("live/", knowledge.live, name="live"),
    path("search/", knowledge_search.search, name="search"),
    path("new/", knowledge_collections.new_collection, name="new"),
    path("upload/", knowledge_adding.upload, name="upload"),
    path("<uuid:collection_id>/", knowledge_collections.collection_page, name="collection"),
    path("<uuid:collection_id>/live/", knowledge_collections.live, name="collection_live"),
    path("<uuid:collection_id>/upload/", knowledge_adding.upload, name="collection_upload"),
    path("<uuid:collection_id>/text/", knowledge_adding.text, name="text"),
    path("<uuid:collection_id>/web/", knowledge_adding.web, name="web"),
    path("<uuid:collection_id>/settings/", knowledge_collections.settings_page, name="settings"),
    path("<uuid:collection_id>/share/", knowledge_collections.share_collection, name="share"),
    path("<uuid:collection_id>/delete/", knowledge_collections.delete, name="delete"),
    path("documents/<uuid:document_id>/", knowledge_reading.document_page, name="document"),
    path("documents/<uuid:document_id>/file/", knowledge_reading.original, name="original"),
    path("documents/<uuid:document_id>/edit/", knowledge_documents.edit, name="edit_document"),
    path("documents/<uuid:document_id>/rename/", knowledge_documents.rename, name="rename"),
    path("documents/<uuid:document_id>/weigh/", knowledge_documents.weigh, name="weigh"),
    path("documents/<uuid:document_id>/refresh/", knowledge_documents.refresh, name="refresh"),
    path("documents/<uuid:document_id>/cancel/", knowledge_documents.cancel, name="cancel"),
    path("documents/<uuid:document_id>/retry/", knowledge_documents.retry, name="retry"),
    path("documents/<uuid:document_id>/delete/", knowledge_documents.delete, name="remove"),
]
