"""Addresses of the web UI; what a person sees at each stands in `mdm.web.views`."""

from __future__ import annotations

from django.urls import path

from mdm.web import stewarding_urls
from mdm.web.views import inbox, requests, session

app_name = "web"
urlpatterns = [
    path("login/", session.Login.as_view(), name="login"),
    path("logout/", session.Logout.as_view(), name="logout"),
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/approve/", inbox.approve, name="inbox-approve"),
    path("requests/<int:number>/", requests.show, name="request"),
    path("requests/<int:number>/decide/", requests.decide, name="request-decide"),
    path("requests/<int:number>/undo/", requests.undo, name="request-undo"),
    path("requests/<int:number>/resolve/", requests.resolve, name="request-resolve"),
    path("requests/<int:number>/comment/", requests.comment, name="request-comment"),
    *stewarding_urls.urlpatterns,
]
