"""What the page can do beyond being read: open what a link leads to, filter, copy. Without it nothing is missing."""

from importlib.resources import files

SCRIPT = files(__package__).joinpath("page.js").read_text(encoding="utf-8")
"""What the page holds between its ``script`` tags."""
