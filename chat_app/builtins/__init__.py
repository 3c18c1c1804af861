"""Tools that act in the chat: tasks, people, titles, other agents, what was said.

Importing the modules registers them; ``ChatConfig.ready`` does.
"""
