"""Addresses of the web UI; what a person sees at each stands in `mdm.web.views`."""

from __future__ import annotations

from django.urls import path

from mdm.web import stewarding_urls
from mdm.web.views import dashboard, inbox, leaving, propose, record_actions, record_tabs, records, requests, session

app_name = "web"
urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("login/", session.Login.as_view(), name="login"),
    path("logout/", session.Logout.as_view(), name="logout"),
    path("kept/", session.kept, name="kept"),
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/approve/", inbox.approve, name="inbox-approve"),
    path("requests/<int:number>/", requests.show, name="request"),
    path("requests/<int:number>/decide/", requests.decide, name="request-decide"),
    path("requests/<int:number>/undo/", requests.undo, name="request-undo"),
    path("requests/<int:number>/resolve/", requests.resolve, name="request-resolve"),
    path("requests/<int:number>/comment/", requests.comment, name="request-comment"),
    path("records/<slug:type_path>/", records.records, name="records"),
    path("records/<slug:type_path>/export/", records.export, name="records-export"),
    path("records/<slug:type_path>/bulk/", records.bulk, name="records-bulk"),
    path("records/<slug:type_path>/columns/", records.choose_columns, name="records-columns"),
    path("records/<slug:type_path>/views/", records.keep_view, name="records-view"),
    path("records/<slug:type_path>/new/", propose.propose, name="record-new"),
    path("records/<slug:type_path>/similar/", propose.similar, name="similar"),
    path("records/<slug:type_path>/<uuid:uid>/", record_tabs.overview, name="record"),
    path("records/<slug:type_path>/<uuid:uid>/edit/", propose.propose, name="record-edit"),
    path("records/<slug:type_path>/<uuid:uid>/sources/", record_tabs.sources, name="record-sources"),
    path("records/<slug:type_path>/<uuid:uid>/sources.csv", record_tabs.sources_csv, name="record-sources-csv"),
    path("records/<slug:type_path>/<uuid:uid>/timeline/", record_tabs.timeline, name="record-timeline"),
    path("records/<slug:type_path>/<uuid:uid>/sync/", record_tabs.sync, name="record-sync"),
    path("records/<slug:type_path>/<uuid:uid>/where-used/", record_tabs.where_used, name="record-where-used"),
    path("records/<slug:type_path>/<uuid:uid>/requests/", record_tabs.requests, name="record-requests"),
    path("records/<slug:type_path>/<uuid:uid>/audit/", record_tabs.audit, name="record-audit"),
    path("records/<slug:type_path>/<uuid:uid>/leave/", leaving.leave, name="record-leave"),
    path("records/<slug:type_path>/<uuid:uid>/status/<slug:action>/", record_actions.ask_status, name="record-status"),
    path("records/<slug:type_path>/<uuid:uid>/pin/", record_actions.pin, name="record-pin"),
    path("records/<slug:type_path>/<uuid:uid>/detach/", record_actions.detach, name="record-detach"),
    path("records/<slug:type_path>/<uuid:uid>/reveal/", record_actions.reveal, name="record-reveal"),
    *stewarding_urls.urlpatterns,
]
