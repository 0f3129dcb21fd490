"""A walk through Prefect's UI, as docs/ui.md has it; each step looks at the page and the API."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from playwright.sync_api import Page, expect
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    DeploymentFilter,
    DeploymentFilterName,
)
from prefect.client.schemas.objects import FlowRun

from tests.deployments.processes import Workspace
from tests.operation.prefect_ui import PrefectUi
from tests.operation.served import Up, records, wait_until

WRONG = "members.0.training.epoch=2"
OVERRIDE = "members.0.training.epochs=2"
VERDICTS = ("Promoted", "Not promoted")
LONG_RECIPE = "patient"
CRON, CRON_IN_WORDS = "5 5 * * 5", "At 05:05 AM, only on Friday"
_SHARE = re.compile(r"\d+\.\d % \[\d+\.\d \u2013 \d+\.\d\]")

Look = Callable[[str, Page], None]


def _look_at_nothing(name: str, page: Page) -> None:
    """A test needs no pictures."""


class Walk:
    """The steps of the walk, in order.

    Args:
        workspace: where `ferflow up` and other commands run.
        store: the store that it serves.
        up: the running `ferflow up`.
        page: of a browser.
        look: called with the name of a picture at the moments that docs/ui.md shows.
    """

    def __init__(
        self,
        workspace: Workspace,
        store: Path,
        up: Up,
        page: Page,
        look: Look = _look_at_nothing,
    ) -> None:
        self.workspace = workspace
        self.store = store
        self.up = up
        self.ui = PrefectUi(page, up.facts["ui"])
        self._look = look

    def all(self) -> None:
        """All steps up to the edited schedule."""
        self.refuse_a_wrong_value()
        run_id = self.start_a_run()
        self.read_its_summary(run_id)
        self.read_its_report(run_id)
        self.cancel_a_long_run()
        retrained = self.force_a_retrain()
        self.compare_with_the_run_before(retrained)
        self.find_it_in_the_list(retrained)
        self.edit_the_schedule()

    def refuse_a_wrong_value(self) -> None:
        """A wrong override is refused with its name and the nearest right one; no run exists."""
        self.ui.open_form("run-pipeline")
        names = [field for field in self.ui.fields() if "name" in field.lower()]
        assert names == ["Run Name"]
        self.ui.override(WRONG)
        message = self.ui.refused()
        assert message.startswith("invalid configuration")
        assert "overrides members.0.training.epoch: unknown setting" in message
        assert "did you mean 'epochs'?" in message
        self._look("ui-refusal", self.ui.page)
        assert self._runs_of("run-pipeline") == []

    def start_a_run(self) -> UUID:
        """The same form, corrected, starts one run, whose state in the end is its verdict."""
        self.ui.override(OVERRIDE)
        self.ui.scroll_up()
        self._look("ui-form", self.ui.page)
        run_id = self.ui.submitted()
        assert [run.id for run in self._runs_of("run-pipeline")] == [run_id]
        state = self.up.ended(run_id)
        assert state.name == "Promoted", state.message
        assert self.ui.shows_state(*VERDICTS) == state.name
        run = self.up.run(run_id)
        assert run.parameters["overrides"] == [OVERRIDE]
        assert run.name.startswith("tiny · synthetic · ")
        assert "promoted" in run.tags
        self.ui.page.reload()  # the log of a run that has ended is not refreshed
        expect(self.ui.head).to_contain_text(run.name)
        expect(self.ui.head).to_contain_text("Finished in state Promoted")
        self._look("ui-run", self.ui.page)
        return run_id

    def read_its_summary(self, run_id: UUID) -> None:
        """The summary has the verdict, and accuracies in percent as the report has."""
        text = self.ui.open_artifact("summary")
        expect(text).to_contain_text("promoted to champion")
        expect(text.get_by_role("link", name="Report")).to_be_visible()
        shown = text.inner_text()
        assert len(_SHARE.findall(shown)) == 14, shown  # two splits of seven models
        assert "epochs: 2" in shown
        assert str(self.up.run(run_id).state_name) in VERDICTS
        assert "[Report](" in self._summary(run_id)
        self._look("ui-summary", self.ui.page)

    def read_its_report(self, run_id: UUID) -> None:
        """The link in the summary opens the report of this run, without any problem."""
        page = self._follow("Report")
        record = self._record(run_id)
        assert record["artifacts"]["report"] in page.url
        expect(page.get_by_role("heading").first).to_be_visible()
        tested = record["headline"]
        expect(page.locator("body")).to_contain_text("is the champion")
        expect(page.locator("body")).to_contain_text(f"{100 * tested['accuracy']:.1f}\u202f%")
        assert page.locator("svg").count() > 3
        self._look("ui-report", page)

    def cancel_a_long_run(self) -> None:
        """A recipe saved meanwhile is offered; its long run is cancelled by its menu."""
        longer = "members.0.training.epochs=2000"
        save = ("recipes", "save", LONG_RECIPE, "--recipe", "tiny.yaml", "--set", longer)
        self.workspace.run(*save, "--store", str(self.store))
        wait_until(self._offers_the_long_recipe, 60, "the form offers the saved recipe")
        self.ui.choose_recipe(LONG_RECIPE)
        run_id = self.ui.submitted()
        self.up.task_is_running(run_id, "train")
        self.ui.shows_state("Running")
        self.ui.cancel()
        assert self.ui.shows_state("Cancelled", "Crashed", "Failed") == "Cancelled"
        assert self.up.ended(run_id, 120).is_cancelled()
        assert self.up.run(run_id).parameters["recipe"] == LONG_RECIPE
        assert self._record(run_id)["state"] == "cancelled"
        self.ui.page.reload()
        self._look("ui-cancelled", self.ui.page)

    def force_a_retrain(self) -> UUID:
        """With `force` on, `retrain` trains without a reason and ends with a verdict."""
        self.ui.open_form("retrain")
        self.ui.switch_on("force")
        run_id = self.ui.submitted()
        state = self.up.ended(run_id)
        assert state.name in VERDICTS, state.message
        assert self.ui.shows_state(*VERDICTS) == state.name
        assert self.up.run(run_id).parameters["force"] is True
        assert self._record(run_id)["state"] in ("completed", "not-promoted")
        self.ui.page.reload()
        expect(self.ui.head).to_contain_text("Finished in state")
        self._look("ui-retrain", self.ui.page)
        return run_id

    def compare_with_the_run_before(self, run_id: UUID) -> None:
        """The summary leads to the comparison with the last run that has a model."""
        self.ui.open_artifact("summary")
        page = self._follow("Compare with the run before, tiny · synthetic")
        [earlier] = [r for r in self._records() if r["flow"] == "run-pipeline" and r["headline"]]
        assert page.url.endswith(f"/compare/{earlier['id']}/{self._record(run_id)['id']}")
        expect(page.locator("body")).to_contain_text("McNemar")
        expect(page.locator("body")).to_contain_text("1\nsetting differs", use_inner_text=True)
        self._look("ui-comparison", page)

    def find_it_in_the_list(self, run_id: UUID) -> None:
        """The page of the deployment lists the run, whatever the name of its state."""
        self.ui.open_deployment("retrain")
        self.ui.lists_run(self.up.run(run_id).name)

    def edit_the_schedule(self) -> None:
        """The schedule of `retrain` is edited in its box."""
        self.ui.open_deployment("retrain")
        expect(self.ui.schedule).to_contain_text("At 03:00 AM, only on Monday")
        self.ui.edit_schedule(CRON)
        self.has_the_edited_schedule()

    def has_the_edited_schedule(self) -> None:
        """The edited schedule is the only one, on the page and on the server."""
        self.ui.open_deployment("retrain")
        expect(self.ui.schedule).to_have_count(1)
        expect(self.ui.schedule).to_contain_text(CRON_IN_WORDS)
        with self.up.client() as client:
            schedules = client.read_deployment_by_name("retrain/retrain").schedules
        assert [getattr(each.schedule, "cron", None) for each in schedules] == [CRON]
        self._look("ui-schedule", self.ui.page)

    def _follow(self, link: str) -> Page:
        """Click a link of the summary; the page that it leads to, once it has no problem."""
        page = self.ui.page
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        address = self.up.facts["pages"]
        page.on(
            "console",
            lambda message: (
                problems.append(message.text)
                if message.location["url"].startswith(address)
                else None
            ),
        )
        with page.expect_response(lambda answer: answer.url.startswith(address)) as found:
            page.get_by_test_id("markdown-display").get_by_role("link", name=link).click()
        assert found.value.status == 200
        page.wait_for_load_state("load")
        assert not problems
        return page

    def _offers_the_long_recipe(self) -> bool:
        self.ui.open_form("run-pipeline")
        return LONG_RECIPE in self.ui.recipes()

    def _runs_of(self, name: str) -> list[FlowRun]:
        chosen = DeploymentFilter(name=DeploymentFilterName(any_=[name]))
        with self.up.client() as client:
            runs = client.read_flow_runs(deployment_filter=chosen)
        return [run for run in runs if not run.auto_scheduled]

    def _summary(self, run_id: UUID) -> str:
        chosen = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
        with self.up.client() as client:
            found = client.read_artifacts(artifact_filter=chosen)
        [text] = [str(each.data) for each in found if each.key == "summary"]
        return text

    def _records(self) -> list[dict[str, Any]]:
        return [*records(self.workspace, self.store)]

    def _record(self, run_id: UUID) -> dict[str, Any]:
        [record] = [each for each in self._records() if each["flow_run_id"] == str(run_id)]
        return record
