"""Sync as a Django app: what it adds to the kernel's pages and services, through the kernel's ports."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class SyncConfig(AppConfig):
    name = "sync"
    verbose_name = "Sync"

    def ready(self) -> None:
        from mdm import ports
        from sync import crash_points, demo, tasks
        from sync.selectors import change_effects, overview, record_status

        crash_points.arm(settings.CRASH_AT)
        ports.demo_steps += [
            ports.DemoStep(order=35, title="Platforms", load=demo.load_targets),
            ports.DemoStep(order=50, title="Deliveries and drift", load=demo.load_deliveries),
        ]
        ports.demo_effects.append(demo.send)
        ports.delivery_status.append(record_status.of_record)
        ports.change_effects.append(change_effects.of_change)
        ports.receivers.append(change_effects.receivers)
        ports.usage.append(record_status.usage)
        ports.counts.append(overview.counts)
        ports.dashboard.append(overview.dashboard)
        ports.search.append(overview.search)
        ports.after_commit.append(tasks.wake)
        ports.readiness.append(overview.readiness)
        ports.metrics.append(overview.metrics)
