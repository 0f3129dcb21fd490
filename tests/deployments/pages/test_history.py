"""Runs on the page server: their list, and two of them compared."""

import pytest

from deployments.pages.files import NotServedError
from deployments.pages.history import compare_page, run_rows
from deployments.pages.server import PageServer
from fer_models.storage.store import ArtifactStore
from tests.deployments.pages.test_server import get
from tests.fer_models.history.builders import build_run


def test_two_runs_are_compared_from_the_front_page(store: ArtifactStore) -> None:
    a = build_run(store, 0, 0.4, started_s=1_800_000_000.0, name="first <b>").record
    b = build_run(store, 1, 2.6, started_s=1_800_003_600.0, name="second").record
    with PageServer(store.config, port=0) as server:
        for address in ("/", "/history/"):
            listed = get(server.url, address)
            assert listed.status == 200
            assert listed.text.count("compare with the run before") == 1
            assert f'href="/compare/{a.id}/{b.id}"' in listed.text
            assert f'href="/runs/{b.artifacts.report}/"' in listed.text
            assert "first &lt;b&gt;" in listed.text
            one = b.headline
            assert one is not None
            interval = f"({100 * one.low:.1f} to {100 * one.high:.1f}\u202f%)"
            about = f"{100 * one.accuracy:.1f}\u202f% of {one.n} {one.split} images {interval}"
            assert about in listed.text
        for names in (f"{a.id}/{b.id}", "latest~1/latest"):
            page = get(server.url, f"/compare/{names}")
            assert page.status == 200
            assert "B is better" in page.text
            assert "first &lt;b&gt; → second" in page.text
        absent = get(server.url, f"/compare/{a.id}/20200101T000000Z-000000")
        assert absent.status == 404
        assert "There is no run 20200101T000000Z-000000" in absent.text
        for odd in ("..%2f..%2fsecret", "%00", "<b>"):
            assert get(server.url, f"/compare/{odd}/{b.id}").status == 404


def test_a_run_is_not_compared_with_itself(store: ArtifactStore) -> None:
    run = build_run(store, name="only").record
    with pytest.raises(NotServedError, match="are the same run"):
        compare_page(store, run.id, "latest")
    assert [row.compare for row in run_rows(store, 10)] == [""]
