"""What every page has: its language, the way to the other one, its templates and its headers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from gateway.pages.words import meaning, say

if TYPE_CHECKING:
    from fastapi import Request

    from gateway.pages.labels import Language

STATIC = Path(__file__).parent / "static"
_STYLE_VERSION = hashlib.sha256((STATIC / "style.css").read_bytes()).hexdigest()[:12]
_A_YEAR = 365 * 24 * 3600

_TEMPLATES = Environment(
    loader=PackageLoader("gateway.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def language_of(request: Request) -> Language:
    """The reader's language: `?lang=`, else the cookie, else Accept-Language, else Japanese."""
    known: dict[str | None, Language] = {"ja": "ja", "en": "en"}
    chosen = known.get(request.query_params.get("lang")) or known.get(request.cookies.get("lang"))
    return chosen or _preferred(request.headers.get("accept-language", ""))


def _preferred(header: str) -> Language:
    """Of Japanese and English the one with the greater weight (RFC 9110 §12.5.4); Japanese if neither is named."""
    weights = {"ja": 0.0, "en": 0.0}
    for part in header.split(","):
        tag, _, parameter = part.partition(";")
        known = tag.strip().lower()[:2]
        if known in weights:
            try:
                weight = float(parameter.partition("q=")[2] or 1)
            except ValueError:
                continue
            weights[known] = max(weights[known], weight)
    return "en" if weights["en"] > weights["ja"] else "ja"


def page(request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """The template as a page in the reader's language; a language chosen with `?lang=` is remembered."""
    language = language_of(request)
    other = "en" if language == "ja" else "ja"
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]

    def t(key: str, **values: Any) -> str:
        return say(key, language, **values)

    html = _TEMPLATES.get_template(template).render(
        context,
        language=language,
        t=t,
        meaning=lambda known: meaning(known, language),
        other_language=other,
        # A link relative to the page itself, so that no host or path of the request enters it.
        switch=f"?{urlencode([*query, ('lang', other)])}",
        style_version=_STYLE_VERSION,
    )
    response = HTMLResponse(
        html,
        status_code=status,
        headers={
            "Content-Language": language,
            "Vary": "Accept, Accept-Language, Cookie",
            "Cache-Control": "no-cache",
        },
    )
    if request.query_params.get("lang") == language:
        response.set_cookie("lang", language, max_age=_A_YEAR, httponly=True, samesite="lax")
    return response
