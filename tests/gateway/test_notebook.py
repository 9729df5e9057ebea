"""The notebook that compares the five cities: it runs against a real server, and is kept without its outputs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOKS = sorted(DOCS.glob("**/*.ipynb"))


def cells_of(notebook: Path) -> list[Any]:
    return list(nbformat.read(notebook, as_version=4).cells)


def test_no_notebook_is_kept_with_outputs() -> None:
    assert DOCS / "compare-cities.ipynb" in NOTEBOOKS
    for notebook in NOTEBOOKS:
        for cell in cells_of(notebook):
            if cell.cell_type == "code":
                assert not cell.outputs, (notebook.name, cell.id)
                assert cell.execution_count is None, (notebook.name, cell.id)


def test_every_step_of_a_notebook_is_explained() -> None:
    for notebook in NOTEBOOKS:
        kinds = [cell.cell_type for cell in cells_of(notebook)]
        assert kinds[0] == "markdown"
        # Two cells of code in a row belong to one step.
        assert "code,code,code" not in ",".join(kinds)


@pytest.fixture
def executed(address: str, tmp_path: Path) -> Any:
    """The notebook with the outputs of a run against the five cities."""
    notebook = nbformat.read(DOCS / "compare-cities.ipynb", as_version=4)
    runner = NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    return runner.execute(env={**os.environ, "KYODO_URL": address, "MPLCONFIGDIR": str(tmp_path)})


def test_the_comparison_of_the_five_cities_runs_and_shows_the_check_values(executed: Any) -> None:
    outputs = [output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]
    said = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    complaints = "".join(output.text for output in outputs if output.get("name") == "stderr")
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert complaints == ""
    assert len(figures) == 4
    assert "大和市: 協定に至る: 367 to 1095 days, midpoint 731" in said
    assert "岡山市: モデル事業の開始から一般施策化: 367 to 1095 days, midpoint 731" in said
    assert "岡山市: ニーズ調査の開始から一般施策化: 732 to 1460 days, midpoint 1096" in said
    assert "大和市: 目的が不明確 (Objectives unclear) 2 of 2, imprecise or inferred dates 100%" in said
    assert "('SELECTION', 'COVERAGE', None)" in said
    assert "the same answer: True" in said
