"""Which step waits for which: a graph without circles."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from flows_app.errors import FlowCycle


def check_graph(prerequisites: Mapping[UUID, Sequence[UUID]], names: Mapping[UUID, str]) -> None:
    """Raises FlowCycle, naming the steps of one circle in order.

    ``prerequisites``: of every step. Keys that are no step are the caller's to refuse.
    """
    done: set[UUID] = set()
    for start in prerequisites:
        path: list[UUID] = []
        on_path: set[UUID] = set()
        # Depth first without recursion: (step, what of it is still to be looked at).
        stack = [(start, iter(prerequisites[start]))] if start not in done else []
        if stack:
            path.append(start)
            on_path.add(start)
        while stack:
            step, rest = stack[-1]
            nxt = next(rest, None)
            if nxt is None:
                stack.pop()
                path.pop()
                on_path.discard(step)
                done.add(step)
            elif nxt in on_path:
                circle = path[path.index(nxt) :]
                raise FlowCycle([names[one] for one in circle[::-1]])
            elif nxt not in done and nxt in prerequisites:
                stack.append((nxt, iter(prerequisites[nxt])))
                path.append(nxt)
                on_path.add(nxt)
