// The TypeScript SDK's client, version 1, over standard input and output of a server that it starts.
import { bridge, packages, person, wanted } from "./bridge.mjs";

const { Client } = packages("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = packages("@modelcontextprotocol/sdk/client/stdio.js");
const { ElicitRequestSchema } = packages("@modelcontextprotocol/sdk/types.js");

const asked = [];
const capabilities = wanted.form ? { elicitation: {} } : {};
const client = new Client({ name: "typescript-1", version: "1" }, { capabilities });
if (wanted.form) client.setRequestHandler(ElicitRequestSchema, person(asked));
await client.connect(new StdioClientTransport(wanted.server));
await bridge(client, asked, (params, options) => client.callTool(params, undefined, options));
