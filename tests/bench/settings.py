"""Settings of the bench's processes: the hub's own, with one more address below the API."""

from mdm.settings import *  # noqa: F403 - the hub as it is

ROOT_URLCONF = "tests.bench.urls"
