"""The form of a target in the admin: credentials go in and never come out, what is left empty stays as it is stored."""

from __future__ import annotations

from copy import copy
from json import JSONDecodeError, dumps, loads
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import URLValidator

from mdm.errors import CorrectInput
from sync import hosts, platforms
from sync.models import Target
from sync.models.target import SCHEMES, SECRET_OPTIONS
from sync.protocol import Health
from sync.services import connections
from sync.services.connections import LONGEST_OVERLAP_H, SECRET, Given

NAMES = {SECRET: "secret", **{name: name.replace("_", " ") for name in SECRET_OPTIONS}}
# What a try rests on: a mistake elsewhere in the form does not stand in its way.
CONNECTION = {"connector", "base_url", "token_url", "client_id", "options", "timeout_s", "keep_h", "forget", *NAMES}


class AddressField(forms.URLField):
    default_validators = [URLValidator(schemes=SCHEMES)]


class Unseen(forms.Textarea):
    """For keys of many lines: what was typed is not drawn again."""

    def format_value(self, value: Any) -> str:
        return ""


def _hidden() -> forms.PasswordInput:
    return forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password", "class": "vTextField"})


def _credential() -> forms.CharField:
    return forms.CharField(required=False, strip=False, widget=_hidden())


class TargetForm(forms.ModelForm):
    """Credentials go in and never come out; left empty, what is stored stays."""

    base_url = AddressField(max_length=300, assume_scheme="https", label="Address")
    token_url = forms.URLField(max_length=300, assume_scheme="https", required=False, label="Address for tokens")
    secret = _credential()
    access_token, api_key, password, refresh_token = _credential(), _credential(), _credential(), _credential()
    private_key = forms.CharField(
        required=False, strip=False, widget=Unseen(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"})
    )
    forget = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="What is ticked is not stored any more, unless something else is entered above.",
    )
    keep_h = forms.FloatField(
        min_value=0,
        max_value=LONGEST_OVERLAP_H,
        initial=settings.CREDENTIAL_OVERLAP_H,
        label="Keep the replaced ones for (hours)",
        help_text="So long one can go back to them; a webhook is signed with both. 0, when they are known to others: "
        "wiped at once.",
    )
    use_anyway = forms.BooleanField(required=False, label="Use them even if they do not work")
    reason = forms.CharField(
        required=False, max_length=300, label="Why", widget=forms.TextInput(attrs={"class": "vTextField"})
    )

    tried: Health | None = None  # what trying these credentials found, before the form is saved
    replaces = False  # True: signs in otherwise than what is stored

    class Meta:
        model = Target
        exclude = ("sealed_secret", "sealed_options", "sealed_previous")

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(_without_credentials(data), *args, **kwargs)
        self.strays = _strays(data)
        self.stored = copy(self.instance) if self.instance.pk else None
        held = connections.stored_names(self.stored) if self.stored else []
        self.fields["connector"] = forms.ChoiceField(choices=[(name, name) for name in platforms.names()])
        self.fields["forget"].choices = [(name, NAMES.get(name, name)) for name in held]  # type: ignore[attr-defined]
        for name in NAMES:
            words = [f"For {' and '.join(users_of(name))}."] if name != SECRET else []
            stored = f"Stored sealed, shown to nobody{'; empty: it stays as it is' if name in held else ''}."
            self.fields[name].help_text = " ".join([*words, stored if name in held else "None is stored."])
        if self.stored is None:
            self.fields["keep_h"].required = False

    def clean_base_url(self) -> str:
        return _checked(self.cleaned_data["base_url"])

    def clean_token_url(self) -> str:
        return _checked(self.cleaned_data["token_url"])

    def clean_options(self) -> dict[str, Any]:
        given = self.cleaned_data["options"] or {}
        if not isinstance(given, dict):
            raise forms.ValidationError('Give settings by name, such as {"page_size": 50}.')
        if self.strays:
            raise forms.ValidationError(f"Enter these below, where they are not shown: {', '.join(self.strays)}.")
        return given

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        for name in ("timeout_s", "rate_per_s", "burst", "concurrency", "max_attempts", "probe_every_s"):
            if name in given and given[name] is not None and given[name] <= 0:
                self.add_error(name, "Give a number above nought.")
        if given.get("use_anyway") and not given.get("reason", "").strip():
            self.add_error("reason", "Say why they are used although they do not work.")
        return given

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors.keys() & CONNECTION:
            return
        try:
            self.replaces = connections.enter(self.instance, self.stored, self._given(), keep_h=self.overlap_h)
        except CorrectInput as error:
            self.add_error("secret", error.message)
            return
        if self.replaces and self.tried and not self.tried.ok and not self.cleaned_data.get("use_anyway"):
            words = "Nothing was saved, because these credentials do not work"
            how = "Enter them again, or tick “Use them even if they do not work” and say why."
            self.add_error(None, f"{words}: {self.tried.message} {how}")

    @property
    def overlap_h(self) -> float:
        return float(self.cleaned_data.get("keep_h") or 0)

    def _given(self) -> Given:
        typed = {name: self.cleaned_data.get(name) or "" for name in NAMES}
        secret = typed.pop(SECRET)
        options = {name: text.replace("\r\n", "\n") for name, text in typed.items() if text.strip()}
        return Given(secret, options, frozenset(self.cleaned_data.get("forget") or ()))


def users_of(name: str) -> list[str]:
    """Titles of the connectors that sign in with this option."""
    kinds = [connector for connector in platforms.names() if name in platforms.credential_options(connector)]
    return [platforms.connector_class(connector).title for connector in kinds]


def _checked(url: str) -> str:
    if url and (words := hosts.wrong_with(url, settings.PRIVATE_TARGETS)):
        raise forms.ValidationError(words)
    return url


def _strays(data: Any) -> list[str]:
    """Credentials that somebody typed among the options."""
    text = data.get("options") or "" if data else ""
    try:
        given = loads(text or "{}")
    except JSONDecodeError:
        return [name for name in SECRET_OPTIONS if name in text]
    return sorted(given.keys() & set(SECRET_OPTIONS)) if isinstance(given, dict) else []


def _without_credentials(data: Any) -> Any:
    """The form as it may be drawn again."""
    if not (strays := _strays(data)):
        return data
    data = data.copy()
    try:
        data["options"] = dumps({name: value for name, value in loads(data["options"]).items() if name not in strays})
    except JSONDecodeError:
        data["options"] = "{}"
    return data
