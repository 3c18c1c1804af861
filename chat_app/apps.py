from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chat_app"
    verbose_name = "Conversations"

    def ready(self) -> None:
        """Register the tools of the chat, and the services that apps below tell of things."""
        from agents_app.runtime.store import register_store
        from chat_app.builtins import canvas, people, threads  # noqa: F401
        from chat_app.services import (  # noqa: F401
            citations,
            delegation,
            following,
            hook_threads,
            playground_answering,
            prompt_values,
            steps,
        )
        from chat_app.services.agent_threads import AgentThreads

        register_store(AgentThreads())
