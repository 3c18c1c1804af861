"""The evaluation set of search: conversations, documents, questions about them, and their scores.

``conversations.json``: chats of a company, a school and a workshop, in the order they were said.
``documents/``: handbooks, policies, how-tos, minutes, sheets. ``questions.json``: what people ask
weeks later, with the evidence: ids of messages, or a verbatim quote of a document.
"""
