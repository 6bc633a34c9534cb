"""Sphinx configuration."""

project = "simulacra"
copyright = "the simulacra authors"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
exclude_patterns = ["requirements.txt"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
suppress_warnings = ["myst.xref_missing"]
