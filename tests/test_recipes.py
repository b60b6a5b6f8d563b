"""Every recipe makes a row that the constraints of the tables admit."""

import pytest
from django.db import transaction
from model_bakery.recipe import Recipe

from tests import recipes as user_recipes
from tests.catalogue import recipes as catalogue_recipes
from tests.subscriptions import recipes as subscription_recipes

RECIPES = {
    f"{module.__name__}.{name}": recipe
    for module in (user_recipes, catalogue_recipes, subscription_recipes)
    for name, recipe in vars(module).items()
    if isinstance(recipe, Recipe)
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_makes_valid_rows_with_any_random_values(name):
    for _ in range(10):
        with transaction.atomic():
            assert RECIPES[name].make().pk
            transaction.set_rollback(True)
