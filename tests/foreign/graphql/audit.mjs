// Runs every audit of graphql-http against the server at the address given, one after another, and prints what each
// found as JSON: [{id, name, status: "ok" | "notice" | "warn" | "error", reason?}].
import { serverAudits } from "graphql-http";

const results = [];
for (const audit of serverAudits({ url: process.argv[2] })) {
  const { status, reason } = await audit.fn();
  results.push({ id: audit.id, name: audit.name, status, reason });
}
process.stdout.write(JSON.stringify(results));
