"""Vectors around topics that all tenants share, and texts about them; the same for each seed.

Sentence embeddings do not fill their space evenly: a few directions tell most of them apart.
Here the n-th direction has n^-0.7 of the first one's variance, which leaves eighty that count (the
participation ratio): as many as MiniLM's 384 have over the texts of the evaluation set. Evenly
random vectors would be harder for an index than any text is, and topics of one tenant alone easier.
"""

from functools import cache
from typing import Any, Final

DIMENSIONS: Final = 384
DECAY: Final = 0.7
SPREAD: Final = 0.75  # how far the vectors of a topic lie around it; the topics themselves: 1
TOPICS: Final = 3_000
WORDS: Final = 20_000
TOPIC_WORDS: Final = 12
_SYLLABLES: Final = [first + second for first in "bdfgklmnprstvwz" for second in "aeiou"]


class MadeUp:
    """A generator of its own for each purpose keeps one part from changing another."""

    def __init__(self, seed: int) -> None:
        import numpy as np

        self.numbers = np.random.default_rng(seed)
        self._scale, self._centres, self._words, self._about = _shared()

    def topics(self, count: int, of: int = TOPICS) -> Any:
        """``count`` numbers of topics, some much more frequent than others, among ``of``."""
        import numpy as np

        known = self.numbers.permutation(TOPICS)[: max(1, min(of, TOPICS))]
        shares = 1 / np.arange(3, known.size + 3)
        return self.numbers.choice(known, count, p=shares / shares.sum())

    def vectors(self, topics: Any) -> Any:
        """One unit vector for each topic of the array: float32, (n, 384)."""
        import numpy as np

        noise = self.numbers.standard_normal((len(topics), DIMENSIONS)) * self._scale * SPREAD
        found = self._centres[topics] + noise
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    def texts(self, topics: Any, words: int) -> list[str]:
        """One text of about ``words`` words for each topic; a third of them are the topic's."""
        import numpy as np

        count = len(topics)
        # Words of every text follow Zipf, as languages do.
        common = (self.numbers.zipf(1.2, (count, words)) - 1) % WORDS
        own = np.take_along_axis(
            self._about[topics], self.numbers.integers(0, TOPIC_WORDS, (count, words)), axis=1
        )
        chosen = np.where(self.numbers.random((count, words)) < 1 / 3, own, common)
        return [" ".join(row) for row in self._words[chosen]]

    def queries(self, topics: Any) -> tuple[list[str], Any]:
        """Questions of six words about these topics, and their vectors."""
        return self.texts(topics, 6), self.vectors(topics)


@cache
def _shared() -> tuple[Any, Any, Any, Any]:
    """What all have: the scale of the directions, topics, words, and the words of each topic."""
    import numpy as np

    numbers = np.random.default_rng(7)
    variances = np.arange(1, DIMENSIONS + 1) ** -DECAY
    scale = np.sqrt(variances / variances.sum())
    centres = numbers.standard_normal((TOPICS, DIMENSIONS)) * scale
    words = np.array([_word(number) for number in range(WORDS)])
    return scale, centres, words, numbers.integers(0, WORDS, (TOPICS, TOPIC_WORDS))


def _word(number: int) -> str:
    """A word that nothing cuts short: ``english`` stems some endings, these have none of them."""
    parts = []
    rest = number + len(_SYLLABLES)  # two syllables at least
    while rest:
        rest, place = divmod(rest, len(_SYLLABLES))
        parts.append(_SYLLABLES[place])
    return "".join(parts) + "k"
