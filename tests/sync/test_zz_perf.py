import time, cProfile, pstats
from contextlib import contextmanager
import pytest
from sync import platforms
from sync.models import Delivery, Target
from sync.services import drain, dispatch
from mdm.services import events
from mdm.models import Crosswalk
from tests.sync import world
from tests.sync.test_machine import MadeUp, _SESSIONS, made_up
from sync.protocol import Outcome
pytestmark = pytest.mark.django_db(transaction=True)
class Slow(MadeUp):
    def push(self, push):
        time.sleep(0.1)
        return Outcome(push.key or "K"+push.reference[:12], "updated", True)
    def find(self,*a): return None
def test_perf(made_up):
    there=Slow()
    t=world.target("perf","http://x.example",connector="coupa",concurrency=16,rate_per_s=100000,burst=100000)
    _SESSIONS["perf"]=there
    n=480
    from mdm.services import changes
    from mdm.services.proposing import ProposedItem
    changes.propose(items=[ProposedItem(type="supplier",action="create",patch={**world.SUPPLIER,"legal_name":f"P {i}","tax_registrations":[]}) for i in range(n)], by=world.ROBOT, origin="system", reason="x")
    a=time.perf_counter(); events.seal(); dispatch.dispatch_all(); print("DISPATCH/s", n/(time.perf_counter()-a))
    a=time.perf_counter(); c0=time.process_time(); s=drain.drain(t.pk,budget_s=60); d=time.perf_counter()-a
    print("DRAIN", s, n/d, "per s; ideal 160; cpu/delivery ms", (time.process_time()-c0)/n*1000)
