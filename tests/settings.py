"""Settings of the tests: starts their own PostgreSQL and Redis, then mdm.settings reads where they are."""

from tests import database

database.point_environment()

from mdm.settings import *  # noqa: E402, F403 - the environment has to be set before

# Files are looked for when they are asked for: a client of a test would read through all of them before its first call.
WHITENOISE_AUTOREFRESH = True
