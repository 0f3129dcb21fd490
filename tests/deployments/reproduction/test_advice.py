"""The setting that the help of `ferflow models reproduce` names works for every recipe."""

import pytest

from deployments.reproduction.ways import WAYS
from flows.recipes import load_config
from tests.deployments.reproduction.test_ways import commands
from tests.test_docs_commands import parse

SETTING = "training.threads=1"


@pytest.mark.parametrize("name", WAYS)
def test_the_setting_that_the_help_names_is_one_of_all_recipes(name: str) -> None:
    for _, words in commands(name):
        recipe = parse(words).get("recipe")
        if recipe is not None:
            config = load_config(str(recipe), [SETTING])
            assert {member.training.threads for member in config.members} == {1}
