"""Settings of the processes of fault runs: the hub's own, and no word to a target inside a transaction."""

from mdm.settings import *  # noqa: F403 - the hub as it is
from tests import network

network.forbid_inside_transactions()
