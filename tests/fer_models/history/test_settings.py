"""Differences between two configurations."""

from fer_models.history.settings import setting_changes
from flows.pipeline_config import DEMO_MEMBERS, PipelineConfig


def _changes(before: PipelineConfig, after: PipelineConfig) -> list[tuple[str, object, object]]:
    found = setting_changes(before.model_dump(mode="json"), after.model_dump(mode="json"))
    return [(one.path, one.before, one.after) for one in found]


def test_equal_configurations_have_no_differences_wherever_their_stores_are() -> None:
    elsewhere = PipelineConfig.model_validate({"store": {"url": "/elsewhere"}})
    assert _changes(PipelineConfig(), elsewhere) == []


def test_members_are_compared_by_name() -> None:
    slower = DEMO_MEMBERS[2].model_copy(
        update={"training": DEMO_MEMBERS[2].training.model_copy(update={"learning_rate": 0.5})}
    )
    after = PipelineConfig(seed=4, members=(DEMO_MEMBERS[0], slower))
    rate = DEMO_MEMBERS[2].training.learning_rate
    dropped = DEMO_MEMBERS[1].model_dump(mode="json")
    assert _changes(PipelineConfig(), after) == [
        ("seed", 0, 4),
        ("members.scratch_cnn", dropped, None),
        ("members.resnet10t.training.learning_rate", rate, 0.5),
    ]


def test_the_order_of_members_is_a_difference() -> None:
    after = PipelineConfig(members=DEMO_MEMBERS[::-1])
    names = [member.name for member in DEMO_MEMBERS]
    assert _changes(PipelineConfig(), after) == [("members", names, names[::-1])]


def test_lists_without_names_are_compared_as_a_whole() -> None:
    (change,) = setting_changes({"sources": ["a.csv"]}, {"sources": ["a.csv", "b.csv"]})
    assert change.model_dump() == {
        "path": "sources",
        "before": ["a.csv"],
        "after": ["a.csv", "b.csv"],
    }
