"""Sync as a Django app."""

from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "sync"
