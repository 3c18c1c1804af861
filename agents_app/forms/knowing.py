"""The part of an agent's form that says what it may look things up in."""

from django import forms

from agents_app.forms.sharing import SharingForm
from agents_app.models.agents import Knowledge


class KnowingForm(SharingForm):
    """``knowledge``, and the collections for those who choose some."""

    knowledge = forms.ChoiceField(
        label="What it may look things up in",
        choices=[
            (Knowledge.PERSON, "All that the person who asks may read"),
            (Knowledge.GRANTED, "Only the collections chosen below"),
            (Knowledge.NONE, "Nothing"),
        ],
        initial=Knowledge.PERSON,
        widget=forms.RadioSelect,
        required=False,
        help_text="Never more than the person it works for may read.",
    )
    collections = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
