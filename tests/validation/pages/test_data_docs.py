"""Great Expectations' Data Docs: the results of the run, offline, and reproducible."""

import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_models.storage.refs import SnapshotRef, ValidationRef
from fer_models.storage.store import ArtifactStore
from tests.validation.test_gate import _faulty_draft, _written
from validation.config import ValidationConfig
from validation.gate import validate_snapshot
from validation.pages.plain_html import plain

ODD = "<script>alert('&')</script>"
DOCS = "data_docs/index.html"


@pytest.fixture(scope="module")
def validated(tmp_path_factory: pytest.TempPathFactory) -> tuple[ArtifactStore, ValidationRef]:
    """A faulty snapshot with unusual ids, and expectations that show them."""
    from fer_models.storage.config import StoreConfig

    folder = tmp_path_factory.mktemp("docs")
    store = ArtifactStore(StoreConfig(url=str(folder / "store")))
    draft = _faulty_draft()
    draft.set("image_id", [1], "$kwargs ${x} <img src=x onerror=alert(1)>")
    custom = folder / "custom.yaml"
    custom.write_text(
        "- {table: kept, expect: expect_column_values_to_match_regex,"
        " kwargs: {column: image_id, regex: '^hand:(?<!x)'}}\n"
        "- {table: kept, expect: expect_column_distinct_values_to_be_in_set,"
        " kwargs: {column: split, value_set: [train]}}\n"
        "- {table: kept, expect: expect_column_mean_to_be_between,"
        " kwargs: {column: image_id, max_value: 3}, name: broken}\n"
    )
    config = ValidationConfig(expectations_file=str(custom))
    return store, validate_snapshot(store, _written(store, draft), config)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _parse(html: str) -> _Page:
    parser = _Page()
    parser.feed(html)
    return parser


def test_the_page_needs_no_network_and_no_scripts(
    validated: tuple[ArtifactStore, ValidationRef],
) -> None:
    store, validation = validated
    page = store.read_file(validation, DOCS).decode()
    parsed = _parse(page)
    assert not parsed.tags & {"script", "img", "iframe"}
    allowed = {"../report.html", "data:,"}  # no favicon
    assert all(link in allowed or link.startswith("#") for link in parsed.links)
    assert "url(" not in page
    assert "http:" not in page
    assert "https:" not in page
    assert len(page) < 100_000


def test_the_page_shows_the_results_of_the_run(
    validated: tuple[ArtifactStore, ValidationRef],
) -> None:
    store, validation = validated
    records = store.read_json(validation, "results.json")
    text = "".join(_parse(store.read_file(validation, DOCS).decode()).text)
    assert all(record["check"] in text for record in records)
    assert "8 unexpected values found. ≈2.286% of 350 total rows." in text
    assert "unexpected: test, validation" in text
    assert "Cannot perform reduction 'mean'" in text
    assert ODD in text
    assert "$kwargs ${x} <img src=x onerror=alert(1)>" in text
    assert "^hand:(?<!x)" in text
    assert "Traceback" not in text


def test_validating_again_gives_identical_pages(
    validated: tuple[ArtifactStore, ValidationRef], tmp_path: Path
) -> None:
    from fer_models.storage.config import StoreConfig

    first, validation = validated
    second = ArtifactStore(StoreConfig(url=str(tmp_path / "elsewhere")))
    shutil.copytree(first.local_root / "datasets", tmp_path / "elsewhere" / "datasets")
    custom = next(first.local_root.parent.glob("custom.yaml"))
    snapshot = first.list_ids(SnapshotRef)[0]
    again = validate_snapshot(
        second,
        SnapshotRef(id=snapshot, url=""),
        ValidationConfig(
            expectations_file=str(shutil.copy(custom, tmp_path / "another name.yaml"))
        ),
    )
    assert again.id == validation.id
    files = [store.describe(ref).files for store, ref in ((first, validation), (second, again))]
    assert files[0].keys() == {"results.json", "report.html", DOCS}
    assert all(files[0][name].sha256 == files[1][name].sha256 for name in files[0])


def test_plain_html_keeps_tables_and_shows_other_tags_as_text() -> None:
    html = '<td id="a" style="x" class="b"><a href="http://x">y</a> 1 &lt; 2<br/></td>'
    assert plain(html) == ('<td class="b">&lt;a href="http://x"&gt;y&lt;/a&gt; 1 &lt; 2<br></td>')
    assert plain("<style>a{}</style><!-- c -->") == "&lt;style&gt;a{}&lt;/style&gt;&lt;!-- c --&gt;"


@given(st.text(alphabet="<>/!-='\"& abscriptonerrorimg", max_size=60))
def test_only_allowed_tags_survive(text: str) -> None:
    parsed = _parse(plain(text))
    assert parsed.tags <= {"b", "i", "p", "br", "span", "strong", "pre", "sub", "sup", "small"}
    assert not parsed.links


@pytest.mark.browser
def test_the_page_works_in_a_browser_without_network(
    validated: tuple[ArtifactStore, ValidationRef],
) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    store, validation = validated
    requests: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"],
        )
        page = browser.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.goto(store.fetch(validation, "report.html").as_uri())
        page.get_by_role("link", name="Data Docs").click()
        passed = page.get_by_role("cell", name="images_present")
        failed = page.get_by_role("cell", name="test_leak_share")
        both = (passed.is_visible(), failed.is_visible())
        page.get_by_label("show only failed expectations").check()
        only = (passed.is_visible(), failed.is_visible())
        browser.close()
    assert (both, only) == ((True, True), (False, True))
    assert [Path(url).name for url in requests] == ["report.html", "index.html"]
