"""What the documentation says is what there is."""

import re

import duckdb
import pytest

from orchestration import marts_page, settings
from tests.refresh.small import Small

ROOT = settings.project_root()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_page_of_the_marts_is_what_their_descriptions_say() -> None:
    assert (ROOT / "docs" / "marts.md").read_text() == marts_page.page()


def test_every_link_and_path_named_leads_somewhere() -> None:
    for page in PAGES:
        text = page.read_text()
        links = re.findall(r"\]\((?!http)([^)#]+)", text)
        paths = re.findall(
            r"`((?:dbt_project|orchestration|quality|publishers|tests)/[\w/.]+)`", text
        )
        for target in links:
            assert (page.parent / target).exists(), (page.name, target)
        for target in paths:
            assert (ROOT / target).exists(), (page.name, target)


def test_every_query_of_the_pages_runs(refreshed: Small) -> None:
    text = (ROOT / "docs" / "analysts.md").read_text()
    queries = [
        query
        for block in re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
        for query in block.split(";")
        if query.strip()
    ]
    assert len(queries) > 5
    shown = re.findall(r'arvo sql "(.*?)"\n', (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(shown) == 2
    queries += shown
    for query in queries:
        try:
            refreshed.rows(query)
        except duckdb.Error as error:
            pytest.fail(f"{query}: {error}")
