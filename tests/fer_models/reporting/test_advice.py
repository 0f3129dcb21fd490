"""Settings that the model card names: following them replaces what it says."""

import re

from fer_models.reporting.model_card.markdown import markdown
from fer_models.storage.store import ArtifactStore
from flows.recipes import load_config
from tests.fer_models.reporting.test_model_card import card_of


def test_what_the_card_says_is_not_set_can_be_set(store: ArtifactStore) -> None:
    text = markdown(card_of(store))
    named = re.findall(r"(model_card\.\w+) is not set", text.replace("\\_", "_"))
    assert sorted(named) == ["model_card.data_terms", "model_card.license"]
    config = load_config("demo", [f"{name}=given {name[-5:]}" for name in named])
    text = markdown(card_of(store, config=config.model_card))
    assert "is not set" not in text
    for name in named:
        assert f"given {name[-5:]}".replace("_", "\\_") in text
