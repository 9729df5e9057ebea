"""The schema as a file, for readers and their tools: `python -m gateway.graphql.sdl` writes it anew."""

from __future__ import annotations

from pathlib import Path

from gateway.graphql.schema import SCHEMA

FILE = Path(__file__).parent / "schema.graphql"
"""What was last written; a test holds it to the code."""


def sdl() -> str:
    """The schema in the schema definition language."""
    return SCHEMA.as_str() + "\n"


if __name__ == "__main__":
    FILE.write_text(sdl(), encoding="utf-8")
