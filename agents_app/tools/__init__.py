"""What a tool is, and which there are. Values and a registry; nothing here runs or stores a call.

``definitions``: ``@tool``, ``ToolContext``, ``ToolError``, ``Waiting``. ``catalogue``: the tools
an agent has for a person, by name.
"""
