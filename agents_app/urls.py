"""Addresses of agents, prompts and tools."""

from django.urls import URLPattern, path

from agents_app.views import agents, editing, prompts, tools

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
    path("tools/policy/", tools.policy, name="tool_policy"),
    path("tools/<uuid:tool_id>/", tools.edit_tool, name="tool"),
    path("tools/<uuid:tool_id>/delete/", tools.delete, name="delete_tool"),
    path("<uuid:agent_id>/", agents.agent_page, name="agent"),
    path("<uuid:agent_id>/edit/", editing.edit_agent, name="edit"),
    path("<uuid:agent_id>/delete/", agents.delete, name="delete"),
    path("<uuid:agent_id>/restore/", agents.restore, name="restore"),
    path("<uuid:agent_id>/duplicate/", agents.duplicate, name="duplicate"),
]
