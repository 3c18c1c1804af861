"""A file is what its content says."""

import codecs

import pytest

from agents_app.knowledge.encoding import decode
from agents_app.knowledge.failures import ParseFailed, UnsupportedFile
from agents_app.knowledge.media import MediaKind, sniff
from tests.knowledge import samples


@pytest.mark.parametrize("kind", samples.ALL)
def test_kind_is_told_by_content_whatever_the_name(kind):
    data = samples.ALL[kind]()

    assert sniff(data) is kind
    if kind not in (MediaKind.CSV, MediaKind.MARKDOWN, MediaKind.TEXT):
        assert sniff(data, "invoice.txt") is kind


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (samples.PNG, MediaKind.PNG),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0", MediaKind.JPEG),
        (b"GIF89a\1\0\1\0", MediaKind.GIF),
        (b"RIFF\x24\0\0\0WEBPVP8 ", MediaKind.WEBP),
    ],
)
def test_pictures_are_told_apart(data, kind):
    assert sniff(data, "photo.pdf") is kind
    assert kind.is_image


def test_name_decides_between_kinds_of_plain_text_only():
    assert sniff(b"words and words", "notes.md") is MediaKind.MARKDOWN
    assert sniff(b"one column\nand more", "list.csv") is MediaKind.CSV
    assert sniff(b"words and words", "report.pdf") is MediaKind.TEXT
    assert sniff(b"<p>a piece</p>", "piece.html") is MediaKind.HTML
    assert sniff(b"Hello, I am here.\nYou, too, are here.", "") is MediaKind.TEXT


def test_text_of_every_encoding_is_text():
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        data = "Größe und Maß, überall in dieser Zeile".encode(encoding)
        assert sniff(data) is MediaKind.TEXT, encoding
        assert decode(data) == "Größe und Maß, überall in dieser Zeile", encoding
    assert decode("naïve café “quoted”".encode("cp1252")) == "naïve café “quoted”"
    assert decode("Привет, это длинный текст".encode("cp1251")) == "Привет, это длинный текст"
    assert "Ж" in decode(b'<meta charset="koi8-r"><p>' + "Ж".encode("koi8-r"))
    assert decode(codecs.BOM_UTF16_LE + b"a\0b") == "a\ufffd"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x7fELF\x02\x01\x01\0" + bytes(50), "a program"),
        (b"MZ\x90\0\x03\0\0\0" + bytes(60), "a program"),
        (b"\x1f\x8b\x08\0\0", "an archive"),
        (samples.zip_of({"a.txt": b"a"}), "an archive"),
        (samples.zip_of({"mimetype": b"application/vnd.oasis.opendocument.text"}), "OpenDocument"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "old kind"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
            + bytes(99)
            + "EncryptedPackage".encode("utf-16-le"),
            "with a password",
        ),
        (b"{\\rtf1 hello}", "an RTF document"),
        (bytes(range(256)) * 4, "a binary file"),
        (bytes(range(1, 256)) * 40, "a binary file"),
        (b"\0\0\0\x18ftypmp42", "a recording"),
    ],
)
def test_what_is_not_read_is_named_with_advice(data, says):
    with pytest.raises(UnsupportedFile) as error:
        sniff(data, "report.docx")
    assert says in error.value.user_message
    assert error.value.code == "unsupported_file"
    assert error.value.status == 422


def test_office_file_with_macros_is_refused():
    with_macros = samples.changed(
        samples.docx(),
        "[Content_Types].xml",
        lambda part: part.replace(
            b"vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
            b"vnd.ms-word.document.macroEnabled.main+xml",
        ),
    )
    with pytest.raises(UnsupportedFile, match="macros"):
        sniff(with_macros)


@pytest.mark.parametrize("data", [b"", b" \r\n\t ", bytes(100)])
def test_empty_file_has_no_text(data):
    with pytest.raises(ParseFailed) as error:
        sniff(data)
    assert error.value.code == "no_text"


def test_broken_zip_is_damaged():
    with pytest.raises(ParseFailed) as error:
        sniff(samples.docx()[:-200])
    assert error.value.code == "damaged"
