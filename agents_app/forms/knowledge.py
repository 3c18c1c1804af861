"""Forms of collections and documents: what was typed, kept, with what is wrong beside it."""

from typing import Any

from django import forms

from agents_app.forms.fields import ServiceForm
from agents_app.forms.sharing import SharingForm
from agents_app.models import Collection, Document
from agents_app.models.collections import LANGUAGES
from agents_app.models.documents import TITLE_LIMIT
from agents_app.services.collections import DESCRIPTION_LIMIT, NAME_LIMIT
from agents_app.services.documents import MAX_IMPORTANCE, SITEMAP_LIMIT

# A form holds less than a file: what is longer comes as one.
TEXT_LIMIT = 1_000_000
LEVELS = [("", "No access"), ("use", "May read"), ("manage", "May read and change")]
PAGE, SITEMAP = "page", "sitemap"
NO_LANGUAGE = "No language: words as they are"


class CollectionForm(ServiceForm):
    """Name, description and language; a new collection begins with the installation's language."""

    name = forms.CharField(
        max_length=NAME_LIMIT, error_messages={"required": "Please give the collection a name."}
    )
    description = forms.CharField(
        max_length=DESCRIPTION_LIMIT,
        required=False,
        help_text="What is in it. People choose by it.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    language = forms.ChoiceField(
        choices=[
            (name, name.title() if name != "simple" else NO_LANGUAGE) for name in sorted(LANGUAGES)
        ],
        help_text="Of its documents: words are found in all their forms.",
    )

    def __init__(
        self, data: Any = None, *, collection: Collection | None = None, language: str = ""
    ) -> None:
        initial = {"language": language}
        if collection is not None:
            names = ("name", "description", "language")
            initial = {name: getattr(collection, name) for name in names}
        super().__init__(data, initial=initial)


class ReadersForm(SharingForm):
    """Who else may read a collection, and who may change it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["share_mode"].label = "Access"
        self.fields["share_addresses"].help_text = "One per line. They may read it."
        for _, bound in [*self.person_rows, *self.team_rows]:
            field = bound.field
            assert isinstance(field, forms.ChoiceField)
            field.choices = LEVELS


class TextForm(ServiceForm):
    """A text to keep as a document."""

    title = forms.CharField(
        max_length=TITLE_LIMIT, error_messages={"required": "Please give the text a title."}
    )
    text = forms.CharField(
        max_length=TEXT_LIMIT,
        help_text="Markdown is understood: lines that begin with # are headings.",
        error_messages={"required": "Please write or paste a text."},
        widget=forms.Textarea(attrs={"rows": 12}),
        strip=False,
    )


class WebForm(ServiceForm):
    """The address of a page, or of a sitemap that lists many."""

    url = forms.CharField(
        label="Address",
        max_length=2000,
        error_messages={"required": "Please write the address."},
        widget=forms.TextInput(
            attrs={
                "inputmode": "url",
                "placeholder": "https://",
                "spellcheck": "false",
                "autocapitalize": "off",
            }
        ),
    )
    kind = forms.ChoiceField(
        label="What it is",
        choices=[
            (PAGE, "One page, or a file on the web"),
            (SITEMAP, "A sitemap: all pages that it lists"),
        ],
        initial=PAGE,
        widget=forms.RadioSelect,
    )
    limit = forms.IntegerField(
        label="At most so many pages",
        min_value=1,
        max_value=SITEMAP_LIMIT,
        initial=200,
        required=False,
        help_text=f"Of a sitemap; {SITEMAP_LIMIT:,} at most.",
    )


class TitleForm(ServiceForm):
    """What a document is called."""

    title = forms.CharField(
        max_length=TITLE_LIMIT, error_messages={"required": "Please give the document a title."}
    )

    def __init__(self, data: Any = None, *, document: Document) -> None:
        super().__init__(data, initial={"title": document.title})


class ImportanceForm(ServiceForm):
    """How much the passages of a document count among others."""

    importance = forms.FloatField(
        min_value=0,
        max_value=MAX_IMPORTANCE,
        help_text="1 as usual, 2 for twice as much; with 0 it is never found.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )

    def __init__(self, data: Any = None, *, document: Document) -> None:
        super().__init__(data, initial={"importance": f"{document.importance:g}"})
