// Subscribes with the client of graphql-sse or graphql-ws and prints, as JSON, the first results that it was given, or
// what ended the subscription before. Arguments: sse | ws, the address of the endpoint, the document, its variables as
// JSON, and how many results to wait for.
import { createClient as sse } from "graphql-sse";
import { createClient as ws } from "graphql-ws";

const [transport, url, query, variables, count] = process.argv.slice(2);
const client =
  transport === "sse" ? sse({ url, retryAttempts: 0 }) : ws({ url: url.replace("http", "ws"), retryAttempts: 0 });

const results = [];
const ended = await new Promise((resolve) => {
  const leave = client.subscribe(
    { query, variables: JSON.parse(variables) },
    {
      next: (result) => {
        results.push(result);
        if (results.length === Number(count)) {
          leave();
          resolve("enough");
        }
      },
      error: (error) => resolve({ error: Array.isArray(error) ? error : String(error) }),
      complete: () => resolve("complete"),
    },
  );
});
await client.dispose();
process.stdout.write(JSON.stringify({ results, ended }));
