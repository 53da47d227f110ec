"""The pages: one file each, its routes small. To add one: a file with `routes`, and a line here."""

from synthloom.studio.web.pages import data, draw, files, home, latent, result, rules, train

__all__ = ["PAGES"]

PAGES = tuple(one.routes for one in (home, data, rules, train, draw, result, latent, files))
