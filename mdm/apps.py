"""The kernel as a Django app: its system checks, and the admin once every record type is declared."""

from django.apps import AppConfig


class MdmConfig(AppConfig):
    name = "mdm"
    verbose_name = "Governance"

    def ready(self) -> None:
        from django.contrib import admin

        from mdm import checks, ports  # noqa: F401  registers the system checks
        from mdm.selectors import counts

        ports.counts.append(counts.of)
        admin.autodiscover()
