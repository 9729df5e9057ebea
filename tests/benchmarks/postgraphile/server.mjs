// PostGraphile over the schema `beside` of the database that the argument names, {user, host, ...} in JSON as node's pg
// reads it. Configured as for production: nothing is watched, explained or served beside the endpoint. Says its port.
import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const preset = {
  extends: [PostGraphileAmberPreset],
  // Lists as lists: a connection would wrap every event of a timeline once more.
  schema: { defaultBehavior: "-connection +list -insert -update -delete", pgJwtSecret: null },
  pgServices: [makePgService({ poolConfig: JSON.parse(process.argv[2]), schemas: ["beside"], pubsub: false })],
  grafserv: { watch: false, graphiql: false, websockets: false, outputDataAsString: true },
  grafast: { explain: false },
};
const service = postgraphile(preset);
const server = createServer();
await service.createServ(grafserv).addTo(server);
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
