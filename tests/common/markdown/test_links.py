"""Which addresses may be linked, and which host a person is told."""

import pytest

from one_project.common.markdown.links import MAX_ADDRESS_CHARS, vet


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://a.test", "a.test"),
        ("HTTP://A.Test:8080/x?y#z", "a.test:8080"),
        ("https://a.test./", "a.test."),
        ("http://127.0.0.1/", "127.0.0.1"),
        ("http://[2001:db8::1]:80/", "[2001:db8::1]:80"),
        ("https://%D0%BF.test/", "xn--o1a.test"),
        ("mailto:Me@A.test?subject=hi", "me@a.test"),
    ],
)
def test_an_absolute_address_is_a_link(address, host):
    link = vet(address)
    assert link is not None
    assert (link.address, link.host) == (address, host)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "a",
            "/a",
            "//a.test",
            "?a",
            "#a",
            "a.test",
            "https:a.test",
            "https:/a.test",
            "https://",
        ),
        *(
            "javascript:f()",
            "data:text/html,x",
            "ftp://a.test",
            "tel:1",
            "xmpp:a@b.test",
            "file:///x",
        ),
        *("https://a b.test", "https://a\nb.test", "https://a.test/\x1f", " https://a.test"),
        *(
            "https://a.test/\\b",
            "https://a.test%5cb/",
            "https://a.test/%0D%0aX",
            "mailto:a@b.test?%0a",
        ),
        *(
            "https://u@a.test",
            "https://u:p@a.test",
            "https://u%40a.test",
            "https://a.test%2f@b.test",
        ),
        *(
            "https://-a.test-",
            "https://a.test:x",
            "https://[a]",
            "https://a..%ff",
            "https://" + "\u0430" * 99,
        ),
        *("mailto:", "mailto:a", "mailto:a@b.test,c@d.test", "mailto:a@b.test%0ac@d.test"),
        "https://a.test/" + "x" * MAX_ADDRESS_CHARS,
    ],
)
def test_anything_else_is_not(address):
    assert vet(address) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a.test", True),
        (" https://A.test/x ", True),
        ("a.test?x", True),
        ("a.test.evil.test", False),
        ("a.test:99", False),
        ("a.test@evil.test", False),
        ("see a.test", False),
        ("evil.test/a.test", False),
    ],
)
def test_a_text_shows_a_host_only_as_its_beginning(text, shown):
    link = vet("https://a.test/")
    assert link is not None
    assert link.is_shown_by(text) is shown
