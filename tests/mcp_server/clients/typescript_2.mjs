// The TypeScript SDK's client, version 2, over HTTP, in the newest revision and no other.
import { bridge, packages, person, wanted } from "./bridge.mjs";

const { Client, StreamableHTTPClientTransport } = packages("@modelcontextprotocol/client");

const asked = [];
const capabilities = wanted.form ? { elicitation: { form: {} } } : {};
const versionNegotiation = { mode: { pin: "2026-07-28" } };
const client = new Client({ name: "typescript-2", version: "1" }, { capabilities, versionNegotiation });
if (wanted.form) client.setRequestHandler("elicitation/create", person(asked));
const headers = { Authorization: `Bearer ${wanted.server.token}` };
await client.connect(new StreamableHTTPClientTransport(new URL(wanted.server.url), { requestInit: { headers } }));
await bridge(client, asked, (params, options) => client.callTool(params, options));
