"""`data.classes`: which classes come of the labels that occur."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fer_models.classes.mapping import ClassSetting, map_classes, named_classes
from fer_models.classes.names import EMOTIONS
from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig
from fer_models.labels import CLASS_NAMES

FOUND = {"happy": 9, "sad": 8, "surprise": 7, "contempt": 2, "bored": 5}


def names_of(setting: ClassSetting, found: dict[str, int] | None = None) -> tuple[str, ...]:
    return map_classes(FOUND if found is None else found, setting).classes.names


def test_by_default_the_classes_are_the_labels_that_occur() -> None:
    assert names_of(None) == ("happy", "sad", "surprise", "contempt", "bored")
    assert names_of(None, dict.fromkeys(reversed(CLASS_NAMES), 1)) == CLASS_NAMES


def test_unlabelled_data_has_the_classes_of_fer2013() -> None:
    assert names_of(None, {}) == CLASS_NAMES
    assert names_of(None, {"happy": 3}) == CLASS_NAMES


def test_a_single_own_class_is_too_few() -> None:
    with pytest.raises(DataError, match="at least 2 classes, got bored"):
        names_of(None, {"bored": 3})


def test_a_list_names_all_classes_in_order_also_those_without_images() -> None:
    setting = ("Bored", "joy", "sad", "surprise", "contempt", "tired")
    assert names_of(setting) == ("bored", "happy", "sad", "surprise", "contempt", "tired")


def test_labels_that_a_list_lacks_are_an_error_whose_advice_works() -> None:
    with pytest.raises(DataError, match=r"bored \(5 images\)") as caught:
        names_of(("happy", "sad", "surprise", "contempt"))
    assert "{bored: null}" in caught.value.message
    assert names_of({"bored": None}) == ("happy", "sad", "surprise", "contempt")
    assert "{happy: [happy, bored]}" in caught.value.message
    assert names_of({"happy": ("happy", "bored")})[0] == "happy"


def test_a_numbering_names_its_classes() -> None:
    assert names_of("fer2013", {"sad": 1}) == CLASS_NAMES
    assert len(names_of("ferplus", {"sad": 1})) == 8


def test_a_mapping_merges_renames_drops_and_leaves_the_others() -> None:
    setting: ClassSetting = {
        "positive": ("happy", "Surprise"),
        "yawning": "bored",
        "contempt": None,
    }
    mapping = map_classes(FOUND, setting)
    assert mapping.classes.names == ("positive", "yawning", "sad")
    assert mapping.class_of == {
        "happy": "positive",
        "surprise": "positive",
        "bored": "yawning",
        "contempt": None,
        "sad": "sad",
    }
    assert mapping.classes.class_of_emotion == {
        "happy": "positive",
        "surprise": "positive",
        "sad": "sad",
    }


def test_too_many_classes_are_refused_with_a_guess_why() -> None:
    with pytest.raises(DataError, match="names of people"):
        names_of(None, {f"person {'a' * n}": 1 for n in range(1, 102)})


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        (["happy"], "2 to 100"),
        (["happy", "joy"], "'happy' is named twice"),
        (["happy", "12"], "contains no letter"),
        ({"good": ["happy"], "fine": ["joy"]}, "'happy' is given to two classes"),
        ("fer2031", "expected fer2013"),
    ],
)
def test_a_wrong_setting_is_refused_before_any_data_is_read(setting: object, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        DataConfig.model_validate({"classes": setting})


@given(
    st.dictionaries(st.sampled_from([*EMOTIONS, "bored", "tired"]), st.integers(1, 9), min_size=2)
)
def test_every_label_that_occurs_gets_one_of_the_classes(found: dict[str, int]) -> None:
    mapping = map_classes(found, None)
    assert set(mapping.class_of) == set(found) == set(mapping.classes.names)
    assert named_classes(mapping.classes.names) == set(found)
