"""GraphiQL with worked examples, for browsers that open the endpoint.

Its scripts come from a content delivery network, pinned by the hashes of the files; nothing else on the site does.
Where they are kept out, the page is a plain form instead, which sends the query and shows the answer as JSON.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from strawberry.http.ides import get_graphql_ide_html

EXAMPLES = (Path(__file__).parent / "examples.graphql").read_text(encoding="utf-8")

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' https://unpkg.com; style-src 'unsafe-inline' https://unpkg.com; "
    "img-src 'self' data:; font-src data: https://unpkg.com; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

_FIRST = "{ partnerships(first: 5) { totalCount edges { node { number titleJa titleEn status city { nameEn } } } } }"
_PLAIN = f"""<main style="max-width: 44rem; margin: 2rem auto; padding: 0 1rem; font: 1.1rem/1.6 system-ui, sans-serif">
<h1>GraphQL – Kyōdō Ledger 協働台帳</h1>
<p lang="ja">検索画面を読み込んでいます。表示されない場合は、下の欄に質問を書いて送信してください。</p>
<p>GraphiQL is loading. Where it does not appear, write the query here; the answer is JSON.</p>
<form method="get" action="/graphql">
<label for="query">Query</label>
<textarea id="query" name="query" rows="12" style="width: 100%; font: 1rem/1.5 monospace">{escape(_FIRST)}</textarea>
<p><button type="submit" style="font: inherit; padding: 0.5rem 2rem">Send / 送信</button>
<a href="/">協働台帳 / Home</a></p>
</form>
</main>"""


def _page() -> str:
    examples = EXAMPLES.replace("\\", "\\\\").replace("`", "\\`").replace("${", "\\${")
    html = get_graphql_ide_html("graphiql")
    html = re.sub(
        r"const EXAMPLE_QUERY = `.*?`;", lambda _: f"const EXAMPLE_QUERY = `{examples}`;", html, flags=re.DOTALL
    )
    html = re.sub(r"<title>.*?</title>", "<title>GraphQL – Kyōdō Ledger</title>", html)
    html = re.sub(r'<link\s+rel="icon".*?/>', '<link rel="icon" href="/static/icon.svg">', html, flags=re.DOTALL)
    html = html.replace("<html>", '<html lang="en">').replace(">Loading...<", f">{_PLAIN}<")
    return html.replace(
        "<head>", '<head>\n    <meta charset="utf-8">\n    <meta name="viewport" content="width=device-width">'
    )


PAGE = _page()
