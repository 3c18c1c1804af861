"""Addresses of matrix, board and their CSV."""

from django.urls import URLPattern, path

from flows_app.views import board, cells, exports, matrix

flow_urls: list[URLPattern] = [
    path("board/", board.board, name="board"),
    path("board/part/", board.board_part, name="board_part"),
    path("board/csv/", exports.board_csv, name="board_csv"),
    path(
        "board/<uuid:target_id>/<uuid:step_key>/",
        board.move_card,
        name="move_card",
    ),
    path("cells/", cells.pick_cell, name="pick_cell"),
    path("cells/<uuid:target_id>/<uuid:step_key>/", cells.cell, name="cell"),
    path("<uuid:flow_id>/matrix/", matrix.matrix, name="matrix"),
    path("<uuid:flow_id>/matrix/part/", matrix.matrix_part, name="matrix_part"),
    path("<uuid:flow_id>/matrix/csv/", exports.matrix_csv, name="matrix_csv"),
]

lesson_urls: list[URLPattern] = []
