"""GraphiQL with worked examples, for browsers that open the endpoint.

Its scripts are served from here, compressed as they lie in `graphiql/`: nobody else learns who looks up what, and
no network has to be open. Where scripts are off, the page is a plain form, which sends the query and shows JSON.
"""

from __future__ import annotations

import hashlib
import json
from html import escape
from importlib.resources import files

from fastapi import APIRouter, Response

from gateway.problems import Problem

EXAMPLES = (files("gateway") / "graphql/examples.graphql").read_text(encoding="utf-8")

_FOLDER = files("gateway") / "graphql/graphiql"
_SCRIPTS = ("react.production.min.js", "react-dom.production.min.js", "graphiql.min.js", "start.js")
_STYLES = ("graphiql.min.css", "page.css")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_FIRST = "{ partnerships(first: 5) { totalCount edges { node { number titleJa titleEn status city { nameEn } } } } }"


def _file(name: str) -> tuple[bytes, bool]:
    """A file of GraphiQL, and whether it is compressed."""
    packed = _FOLDER / f"{name}.gz"
    return (packed.read_bytes(), True) if packed.is_file() else ((_FOLDER / name).read_bytes(), False)


_FILES = {name: _file(name) for name in (*_SCRIPTS, *_STYLES)}


def _address(name: str) -> str:
    """Where the file is served; another content has another address, so that browsers may keep it for ever."""
    return f"/graphql/ide/{hashlib.sha256(_FILES[name][0]).hexdigest()[:16]}/{name}"


_ADDRESSES = {_address(name): name for name in _FILES}


def _page() -> str:
    styles = "".join(f'<link rel="stylesheet" href="{_address(name)}">\n' for name in _STYLES)
    scripts = "".join(f'<script defer src="{_address(name)}"></script>\n' for name in _SCRIPTS)
    # Nothing in a script element is markup but its end.
    examples = json.dumps(EXAMPLES, ensure_ascii=False).replace("</", "<\\/")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>GraphQL – Kyōdō Ledger</title>
<link rel="icon" href="/static/icon.svg">
{styles}{scripts}</head>
<body>
<div id="graphiql">
<main>
<h1>GraphQL – Kyōdō Ledger 協働台帳</h1>
<p lang="ja">検索画面を読み込んでいます。表示されない場合は、下の欄に質問を書いて送信してください。</p>
<p>GraphiQL is loading. Where it does not appear, write the query here; the answer is JSON.</p>
<form method="get" action="/graphql">
<label for="query">Query</label>
<textarea id="query" name="query" rows="12">{escape(_FIRST)}</textarea>
<p><button type="submit">Send / 送信</button> <a href="/">協働台帳 / Home</a></p>
</form>
</main>
</div>
<script type="application/json" id="examples">{examples}</script>
</body>
</html>
"""


PAGE = _page()


def ide() -> APIRouter:
    """The route of GraphiQL's own files."""

    def serve(version: str, name: str) -> Response:
        known = _ADDRESSES.get(f"/graphql/ide/{version}/{name}")
        if known is None:
            raise Problem(404, "there is no such file; reload the page")
        content, compressed = _FILES[known]
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        if compressed:
            headers["Content-Encoding"] = "gzip"
        media_type = "text/css" if name.endswith(".css") else "text/javascript"
        return Response(content, media_type=media_type, headers=headers)

    router = APIRouter()
    router.add_api_route("/graphql/ide/{version}/{name}", serve, methods=["GET", "HEAD"], include_in_schema=False)
    return router
