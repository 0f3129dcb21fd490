"""The setting that a prediction without pictures names: following it finds them."""

from pathlib import Path

from flows.checks import check_pictures
from flows.recipes import load_config
from tests.fer_models.following import refusal
from tests.fer_models.ingest.builders import random_images, write_folder


def test_pictures_are_named_in_the_recipe_as_proposed(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "faces", {"a.png": random_images(1)[0]})

    def check(settings: list[str]) -> None:
        check_pictures(load_config("demo", settings))

    assert "or set prediction.pictures in the recipe" in refusal(check, [])
    check([f"prediction.pictures=[{folder}]"])
