import pytest

from tasks.artifacts.links import PAGES_VARIABLE, comparison_link, markdown_link, page_link

REPORT = "s3://bucket/runs/models/x/validations/0a1b/data_docs/index.html"


@pytest.mark.parametrize("server", ["http://127.0.0.1:4201", "http://127.0.0.1:4201/"])
def test_a_file_of_the_store_is_linked_on_the_page_server(
    monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    monkeypatch.setenv(PAGES_VARIABLE, server)
    address = "http://127.0.0.1:4201/validations/0a1b/data_docs/index.html"
    assert page_link(REPORT) == address
    assert markdown_link("report", REPORT) == f"[report]({address})"
    assert page_link("file:///a b/store/runs/9f") == "http://127.0.0.1:4201/runs/9f/"
    assert page_link("file:///a b/store/latest/x.json") == "file:///a b/store/latest/x.json"


@pytest.mark.parametrize("server", [None, "", "javascript:alert(1)"])
def test_without_a_page_server_the_url_stays_text(
    monkeypatch: pytest.MonkeyPatch, server: str | None
) -> None:
    monkeypatch.delenv(PAGES_VARIABLE, raising=False)
    if server is not None:
        monkeypatch.setenv(PAGES_VARIABLE, server)
    assert page_link(REPORT) == REPORT
    assert markdown_link("report", REPORT) == f"report: `{REPORT}`"


def test_a_comparison_is_a_page_or_without_a_server_a_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PAGES_VARIABLE, "http://127.0.0.1:4201/")
    link = comparison_link("before, [x](evil)", "a", "b")
    assert link == "[before, \\[x\\](evil)](http://127.0.0.1:4201/compare/a/b)"
    monkeypatch.delenv(PAGES_VARIABLE)
    assert comparison_link("before", "a", "b") == "before: `ferflow runs compare a b`"
