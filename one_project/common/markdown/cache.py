"""A least-recently-used cache of texts, bounded by size and safe between threads."""

from collections import OrderedDict
from threading import Lock


class TextCache:
    """Maps a text to a text and forgets the longest unused when ``capacity`` is passed.

    Sizes are counted in characters of key and value, about bytes for most texts.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._entries: OrderedDict[str, str] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Characters held, keys and values together; never above the capacity."""
        return self._size

    def get(self, key: str) -> str | None:
        """The value for ``key``, which is then the latest used."""
        with self._lock:
            value = self._entries.get(key)
            if value is not None:
                self._entries.move_to_end(key)
            return value

    def put(self, key: str, value: str) -> None:
        """Remember ``value``, unless it alone would take more than a quarter of the room."""
        size = len(key) + len(value)
        if size > self._capacity // 4:
            return
        with self._lock:
            self._size += size - self._weight(key, self._entries.pop(key, None))
            self._entries[key] = value
            while self._size > self._capacity:
                self._size -= self._weight(*self._entries.popitem(last=False))

    @staticmethod
    def _weight(key: str, value: str | None) -> int:
        return 0 if value is None else len(key) + len(value)
