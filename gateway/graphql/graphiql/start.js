// Starts GraphiQL in the place of the plain form. The query stands in the address, so that it can be passed on.
"use strict";

const place = document.getElementById("graphiql");
const given = new URLSearchParams(location.search);
const keep = (name, value) => {
  if (value) given.set(name, value);
  else given.delete(name);
  history.replaceState(null, "", `?${given}`);
};
const socket = new URL(location.pathname, location.href);
socket.protocol = socket.protocol === "https:" ? "wss:" : "ws:";

place.replaceChildren();
ReactDOM.createRoot(place).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: location.pathname, subscriptionUrl: socket.href }),
    query: given.get("q") || undefined,
    variables: given.get("variables") || undefined,
    defaultQuery: JSON.parse(document.getElementById("examples").textContent),
    defaultEditorToolsVisibility: true,
    isHeadersEditorEnabled: false,
    onEditQuery: (text) => keep("q", text),
    onEditVariables: (text) => keep("variables", text),
  }),
);
