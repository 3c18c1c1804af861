"""The cache stays within its room and forgets the longest unused."""

from threading import Thread

from one_project.common.markdown.cache import TextCache


def test_the_longest_unused_goes_first():
    cache = TextCache(40)  # room for four entries of ten
    for key in "abcd":
        cache.put(key, key * 9)
    assert cache.get("a") == "a" * 9
    cache.put("e", "e" * 9)
    assert [key for key in "abcde" if cache.get(key)] == ["a", "c", "d", "e"]
    assert cache.size == 40


def test_a_text_that_would_empty_it_is_not_kept():
    cache = TextCache(40)
    cache.put("a", "x" * 10)
    assert (cache.get("a"), len(cache)) == (None, 0)


def test_replacing_does_not_count_twice():
    cache = TextCache(40)
    for size in (3, 7, 5):
        cache.put("a", "x" * size)
    assert (len(cache), cache.size, cache.get("a")) == (1, 6, "xxxxx")


def test_threads_leave_it_within_its_room():
    cache = TextCache(400)

    def work(name: str) -> None:
        for number in range(2_000):
            cache.put(f"{name}{number % 37}", "x" * (number % 50))
            cache.get(f"{name}{number % 11}")

    threads = [Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = sum(len(key) + len(value) for key, value in cache._entries.items())
    assert cache.size == held <= 400
