// PostGraphile 5 on Node's own HTTP server, set up for speed as its documentation advises: nothing for developers
// (GraphiQL, watching, explaining), no subscriptions, plain lists instead of connections, answers written as text
// while they are planned, and as many database connections as Sparekey has. NODE_ENV and GRAPHILE_ENV are
// `production`, set by who starts it.
//
// PgIndexBehaviorsPlugin would hide the grants of an engagement, because the index that serves them is partial.
// NodePlugin adds ids that the page does not ask for.

import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const preset = {
  extends: [PostGraphileAmberPreset],
  disablePlugins: ["NodePlugin", "PgIndexBehaviorsPlugin"],
  pgServices: [
    makePgService({
      connectionString: process.env.DATABASE_URL,
      schemas: ["public"],
      pubsub: false,
      poolConfig: { max: 16 },
    }),
  ],
  schema: { defaultBehavior: "list -connection -insert -update -delete" },
  grafast: { explain: false },
  grafserv: { graphqlPath: "/graphql", graphiql: false, websockets: false, watch: false, outputDataAsString: true },
};

const server = createServer();
await postgraphile(preset).createServ(grafserv).addTo(server);
server.listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
