// PostGraphile 5 on Node's own HTTP server, set up for speed as its documentation advises: nothing for developers
// (GraphiQL, watching, explaining), no subscriptions, plain lists instead of connections, answers written as text
// while they are planned, and as many database connections as Sparekey has. NODE_ENV and GRAPHILE_ENV are
// `production`, set by who starts it.
//
// With SIGNED_IN set it answers, like Sparekey, for whoever the cookie names, and what they may see is row-level
// security's to say, as its documentation has it: `pgSettings` for each request, which PostgreSQL is told in a
// transaction around the statement. Without, it asks nobody and reads as the tables' owner.
//
// PgIndexBehaviorsPlugin would hide the grants of an engagement, because the index that serves them is partial.
// NodePlugin adds ids that the page does not ask for.

import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const SESSION = /(?:^|; )__Host-sparekey=([^;]*)/;

function signedIn(requestContext) {
  const cookie = requestContext.node.req.headers.cookie ?? "";
  return { pgSettings: { role: "peer_visitor", "peer.session": SESSION.exec(cookie)?.[1] ?? "" } };
}

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
  grafast: { explain: false, ...(process.env.SIGNED_IN && { context: signedIn }) },
  grafserv: { graphqlPath: "/graphql", graphiql: false, websockets: false, watch: false, outputDataAsString: true },
};

const server = createServer();
await postgraphile(preset).createServ(grafserv).addTo(server);
server.listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
