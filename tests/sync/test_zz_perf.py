import cProfile
import pstats
import time

import pytest

from mdm.services import events
from sync.protocol import Outcome
from sync.services import dispatch, drain
from tests.sync import world
from tests.sync.test_machine import _SESSIONS, MadeUp

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
    prof=cProfile.Profile()
    from sync.services import claims
    from sync.services.drain import _Run
    run=_Run(t, claims.PROCESS, 60)
    class K:
        def add(self,x): pass
        remove=add
    run.keeper=K()
    Slow.push=lambda self,push: Outcome(push.key or "K"+push.reference[:12],"updated",True)
    run.ends=time.monotonic()+6
    prof.enable(); run.work(); prof.disable()
    done=sum(run.states.values()); print("DONE", done)
    st=pstats.Stats(prof); st.sort_stats("cumulative")
    import io; buf=io.StringIO(); st.stream=buf; st.print_stats(70); print(buf.getvalue())
    return
    a=time.perf_counter(); c0=time.process_time(); s=drain.drain(t.pk,budget_s=60); d=time.perf_counter()-a
    print("DRAIN", s, n/d, "per s; ideal 160; cpu/delivery ms", (time.process_time()-c0)/n*1000)
