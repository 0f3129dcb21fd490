"""One full run with its report, shared by the tests of this folder."""

import pytest

from fer_models.reporting.collect import RunFacts, RunRefs, collect
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from flows.pipeline_config import PipelineConfig
from tests.fer_models.parsed_page import Page
from tests.fer_models.reporting.builders import Shared, make_run


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """A store with one full run and its report."""
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("report"))))
    run = make_run(store, with_truth=True)
    return store, run, run.write(store)


@pytest.fixture(scope="session")
def page(shared: Shared) -> "Page":
    store, _, written = shared
    return Page(store.read_file(written, "report.html").decode())


@pytest.fixture(scope="session")
def facts(shared: Shared) -> RunFacts:
    """The facts of the shared run, to be shown with other decisions and executions."""
    store, run, _ = shared
    refs = RunRefs(
        run.snapshot, run.validation, run.tuning, run.evaluations, run.ensemble, run.promotion
    )
    return collect(store, PipelineConfig(), refs)
