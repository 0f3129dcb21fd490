"""`ferflow recipes`: the recipes and their settings."""

import click

from deployments.cli.output import Produced
from deployments.cli.output import reporting_command as reporting
from flows.recipes import load_config, recipe_names


@click.command(name="recipes")
@click.argument("name", required=False)
@reporting
def command(name: str | None) -> Produced:
    """List the recipes, or print one in full, as a start for your own YAML file."""
    if name is None:
        recipes = {recipe: load_config(recipe) for recipe in recipe_names()}
        for recipe, config in recipes.items():
            members = ", ".join(member.name for member in config.members)
            click.echo(f"{recipe:17} {members}")
        return {"recipes": list(recipes)}
    import yaml

    settings = load_config(name).model_dump(mode="json")
    click.echo(yaml.safe_dump(settings, sort_keys=False), nl=False)
    return {"recipe": name, "settings": settings}
