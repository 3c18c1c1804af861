"""The Python samples that the demo model shows; each runs as it stands."""

from typing import Final

_FIBONACCI = '''\
def fibonacci(count: int) -> list[int]:
    """Return the first `count` Fibonacci numbers."""
    numbers: list[int] = []
    current, following = 0, 1
    for _ in range(count):
        numbers.append(current)
        current, following = following, current + following
    return numbers


print(fibonacci(10))  # [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]
'''

_PRIMES = '''\
def primes(limit: int) -> list[int]:
    """Return all prime numbers up to and including `limit`."""
    is_prime = [False, False] + [True] * max(limit - 1, 0)
    for number in range(2, int(limit**0.5) + 1):
        if is_prime[number]:
            for multiple in range(number * number, limit + 1, number):
                is_prime[multiple] = False
    return [number for number in range(limit + 1) if is_prime[number]]


print(primes(30))  # [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
'''

_SORTING = """\
people = [("Ada", 36), ("Grace", 85), ("Alan", 41), ("Edsger", 41)]

# By age, the oldest first; then by name.
for name, age in sorted(people, key=lambda person: (-person[1], person[0])):
    print(f"{name} is {age}")
"""

_COUNTING = '''\
from collections import Counter


def most_common_words(text: str, count: int = 3) -> list[tuple[str, int]]:
    """Return the most common words of a text and how often each occurs."""
    return Counter(text.lower().split()).most_common(count)


print(most_common_words("to be or not to be"))  # [('to', 2), ('be', 2), ('or', 1)]
'''

# A word of the question, what the sample shows, the sample.
SAMPLES: Final = (
    ("fibonacci", "the first Fibonacci numbers", _FIBONACCI),
    ("prime", "the prime numbers up to a limit", _PRIMES),
    ("sort", "sorting people by two keys", _SORTING),
)
DEFAULT_SAMPLE: Final = ("", "counting the words of a text", _COUNTING)
