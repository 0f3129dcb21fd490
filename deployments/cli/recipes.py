"""`ferflow recipes`: list, show and save recipes."""

from typing import Any

import click

from deployments.cli.options import config_from, config_options, open_store, store_option
from deployments.cli.output import Produced, print_table
from deployments.cli.output import reporting_command as reporting
from fer_models.errors import ConfigError
from fer_models.storage.store import ArtifactStore
from flows.pipeline_config import PipelineConfig
from flows.recipes import load_config, recipe_names, save_recipe, saved_recipes


class _ListOrShow(click.Group):
    """`recipes` alone lists the recipes, `recipes NAME` shows one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert the command that was left out."""
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["list", *args]
        elif args[0] not in (*self.commands, "-h", "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(name="recipes", cls=_ListOrShow)
def command() -> None:
    """List, show and save recipes: named configurations of a run.

    Built-in recipes come with ferflow; others are saved in a store, from where the form of
    Prefect's UI offers them, too.

    \b
    ferflow recipes                                    all recipes
    ferflow recipes show fer2013 > mine.yaml           in full, as a start for your own
    ferflow recipes save ours --recipe fer2013 --set members.0.training.epochs=3
    ferflow run --recipe ours
    """  # noqa: D301 - click's marker for preformatted text


@command.command(name="list")
@store_option
@reporting
def list_recipes(store_url: str | None) -> Produced:
    """List the built-in recipes and those saved in the store.

    A recipe that an earlier version saved may have settings that no longer exist: it is listed with
    its problems.
    """
    store = open_store(store_url)
    built_in, saved = recipe_names(), saved_recipes(store)
    rows: list[list[str]] = []
    unusable: dict[str, str] = {}
    for name in (*built_in, *saved):
        try:
            members = _members(load_config(name, store=store))
        except ConfigError as error:
            members, unusable[name] = "can't be used", str(error)
        rows.append([name, "built-in" if name in built_in else "saved", members])
    print_table(f"Recipes (saved ones: {store.url})", ["recipe", "from", "members"], rows)
    for name, problem in unusable.items():
        click.echo(
            f"{problem}\n  correct {store.url}/recipes/{name}.yaml, or save it again with "
            f"its settings (`ferflow recipes save {name} --replace ...`)"
        )
    return {"recipes": built_in, "saved": saved, "unusable": unusable, "store": store.url}


@command.command()
@click.argument("name")
@store_option
@reporting
def show(name: str, store_url: str | None) -> Produced:
    """Print recipe NAME with all settings, ready for `--recipe FILE`."""
    import yaml

    config = load_config(name, store=open_store(store_url))
    settings = config.model_dump(mode="json", exclude={"store"})
    click.echo(yaml.safe_dump(settings, sort_keys=False), nl=False)
    return {"recipe": name, "settings": settings}


@command.command()
@click.argument("name")
@config_options
@click.option("--replace", is_flag=True, help="Replace a saved recipe of that name.")
@reporting
def save(name: str, replace: bool, **options: Any) -> Produced:
    """Save a configuration in the store as recipe NAME."""
    config = config_from(options)
    store = ArtifactStore(config.store)
    key = save_recipe(store, name, config, replace=replace)
    click.echo(f"saved {store.url}/{key}; use it with --recipe {name}")
    return {"recipe": name, "url": f"{store.url}/{key}"}


def _members(config: PipelineConfig) -> str:
    return ", ".join(member.name for member in config.members)
