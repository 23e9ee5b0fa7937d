import json, time
from tests.story_extracts import *
def test_scratch(story):
    t=time.time()
    jobs = story.import_extracts()
    print({k:(v["state"],v["counts"],v["error"]) for k,v in jobs.items()}, time.time()-t)
    st=story.by("steward")
    pairs = st.all("duplicates/")
    for p in pairs:
        print(p["state"], p["band"], round(p["probability"],3), p["left"]["name"],"|",p["right"]["name"], {k:[r["key"] for r in v] for k,v in story.keys(p["left"]["uid"]).items()}, {k:[r["key"] for r in v] for k,v in story.keys(p["right"]["uid"]).items()})
    for s in FIRST:
        for k in (FIRST[s],SECOND[s]):
            print(s,k,st.get("crosswalks/",system=s,key=k)["results"])
    print(time.time()-t)
    for s in FIRST:
        print(s, story.by("operator").post(f"targets/{s}/push/", {}, expect=202))
    def done():
        q={r["code"]: r["queue"] for r in story.by("operator").all("targets/")}
        return all(v["open"]==0 for v in q.values()) and len(story.by("operator").all("deliveries/"))>100
    from tests.fixtures_story import until
    until(done,"pushed",120)
    print(time.time()-t)
    from collections import Counter
    rows=story.by("operator").all("deliveries/")
    print(Counter((r["target"],r["state"],r["effect"],r["verified"]) for r in rows))
    for r in rows:
        if r["state"]!="posted": print(r["target"],r["label"],r["state"],r["error"])
    for s in FIRST:
        run=story.look(s)
        print(s,run["counts"],run["timings"], time.time()-t)
    for f in story.by("operator").all("drift-findings/"):
        print(f["target"],f["kind"],f["label"],f["target_key"],f["field"],f["golden"],f["target_value"],f["cause"],f["state"])
