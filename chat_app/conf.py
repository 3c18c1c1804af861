"""Limits of conversations that do not change from installation to installation."""

# MS-5: orders stay exact in every client's number type.
MAX_ORDER = 2**53 - 2
DEFAULT_PAGE = 100
# What a page of the chat shows at first and loads at a time while scrolling up.
VISIBLE_PAGE = 30
DELETE_BATCH = 100
DELETE_BY_ORDER_BATCH = 64
FAIL_PENDING_BATCH = 100
TITLE_LIMIT = 120
PREVIEW_LIMIT = 140
RESTARTING = "Restarting"
CANVAS_LIMIT = 200_000
