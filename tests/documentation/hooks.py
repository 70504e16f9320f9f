"""What MkDocs is told beside ``mkdocs.yml``: pages that are made while the site is built, so they are never old."""

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # MkDocs loads this by its path, not as a part of a package, and takes this back then

from tests.documentation import made_pages, options_page  # noqa: E402 - as long as the path is there


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made of the code."""
    for name, content in {
        "reference/contracts.md": made_pages.contracts(),
        "reference/options.md": options_page.page(),
        "reference/reference-store.md": made_pages.reference(),
    }.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """List the decisions on their page, which whoever reads the repository has as a directory."""
    if page.file.src_uri != "decisions/README.md":
        return markdown
    return markdown + made_pages.decisions(Path(config.docs_dir) / "decisions")
