"""Addresses of the reference services and of reading hierarchies."""

from __future__ import annotations

from django.urls import path

from dimensions.api import codings, hierarchies, translate
from mdm import registry

app_name = "dimensions-api"
TREES = {
    "tree": hierarchies.Children,
    "members": hierarchies.Members,
    "way": hierarchies.Way,
    "compare": hierarchies.Compare,
    "tree/export": hierarchies.Export,
}
urlpatterns = [
    path("translate/", translate.Translate.as_view(), name="translate"),
    path("codings/validate/", codings.ValidateCodings.as_view(), name="codings-validate"),
    *(
        path(
            f"hierarchies/<str:uid>/{word}/",
            view.as_view(kind=registry.get("hierarchy")),
            name=f"hierarchy-{word.replace('/', '-')}",
        )
        for word, view in TREES.items()
    ),
]
