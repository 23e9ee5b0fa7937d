from collections import Counter
import pytest
from tests.sync.test_machine import *
from tests.sync.test_machine import Walk, made_up
from sync.services import deliver as d
from hypothesis import settings, HealthCheck
def test_stats(made_up, monkeypatch):
    c=Counter(); real=d.deliver
    def deliver(held, p):
        try:
            r=real(held,p); c[r]+=1; return r
        except BaseException as e: c[type(e).__name__]+=1; raise
    monkeypatch.setattr(d,"deliver",deliver)
    real_work=Walk.work
    run_state_machine_as_test(Walk, settings=settings(max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), database=None))
    print("STATS", c, Counter(Delivery.objects.values_list("state",flat=True)))

@pytest.mark.parametrize("mutant", ["quarantine","readback","holds","jump"])
def test_mutants(made_up, monkeypatch, mutant):
    if mutant=="quarantine": monkeypatch.setattr(d, "_quarantine_is_on", lambda lane: False)
    if mutant=="readback": monkeypatch.setattr(d, "_resolve_doubt", lambda w,c: None)
    if mutant=="holds": monkeypatch.setattr(d, "_holds", lambda w,r: True)
    if mutant=="jump": monkeypatch.setattr(d, "_find", lambda w,c: None)
    with pytest.raises(BaseException) as e:
        run_state_machine_as_test(Walk, settings=settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), database=None))
    print("CAUGHT", mutant, repr(e.value)[:200])
del test_walks
