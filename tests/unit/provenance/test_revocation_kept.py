"""What rows and ledger go on saying of documents is not taken for what a revocation removes."""

from tasks.provenance.revocation.plan import make_plan
from tasks.provenance.revocation.scope import parse_scope
from tasks.provenance.revocation.stages import take_fingerprints
from tasks.provenance.revocation.work import Tools, Work, keep_plan
from tests.fakes import new_home, put_documents

ADDRESS = "https://pages.example/harbour/a-page-with-a-long-address.html"
HOMEPAGE = "https://projects.example/the-home-page-of-both"
SECRET = "The neap tide hides the mussel bank that only this page names by its name."


def test_a_text_that_holds_its_own_address_and_its_neighbours_facts_can_be_revoked(tmp_path):
    home = new_home(tmp_path)
    for name in ("gone", "kept"):
        home.ledger.add_source(name)
    text = f"See {ADDRESS} or {HOMEPAGE} for more.\n\n{SECRET}\n"
    put_documents(home, {ADDRESS: text}, source="gone")
    put_documents(
        home, {"file:///kept": "Other words."}, source="kept", meta=f'{{"url": "{HOMEPAGE}"}}'
    )
    documents = home.table("documents").scan().collect()
    home.ledger.add_documents(documents.select("doc_id", "source", "uri").iter_rows(named=True))
    plan = make_plan(home, parse_scope("source:gone"))
    keep_plan(home, plan)
    tools = Tools(rebuild=lambda: "", probe=lambda texts: set())
    work = Work(home=home, plan=plan, revocation_id="R", run_id="r", tools=tools)
    take_fingerprints(work)
    assert not work.wanted().within(f'"{ADDRESS}"'.encode())
    assert not work.wanted().within(f'"{HOMEPAGE}"'.encode())
    assert work.wanted().within(SECRET.encode())
