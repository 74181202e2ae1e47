"""Recipes: the model, reading them with every problem at its line, linting, finding, planning, locks."""
