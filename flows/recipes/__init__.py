"""Recipes: named pipeline configurations, one YAML file each with the differences from `demo`.

Built-in recipes are the files of this folder; others are saved in the artifact store.
"""

from flows.recipes.built_in import recipe_names
from flows.recipes.load import load_config
from flows.recipes.saved import save_recipe, saved_recipes

__all__ = ["load_config", "recipe_names", "save_recipe", "saved_recipes"]
