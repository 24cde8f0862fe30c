// Drives one client of the protocol: a request a line on standard input, its outcome a line on standard output.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

export const wanted = JSON.parse(process.argv[2]); // {packages, server: {command, args, cwd, env} | {url, token}, form}
export const packages = createRequire(`${wanted.packages}/package.json`);

export function person(asked) {
  return async (request) => {
    asked.push(request.params.message);
    const fields = Object.keys(request.params.requestedSchema.properties);
    return { action: "accept", content: Object.fromEntries(fields.map((field) => [field, wanted.form[field]])) };
  };
}

export async function bridge(client, asked, callTool) {
  const progress = [];
  const onprogress = (one) => progress.push(one.message ?? "");
  const methods = {
    "tools/list": () => client.listTools(),
    "tools/call": (params) => callTool(params, { onprogress, timeout: 120_000 }),
    "resources/read": (params) => client.readResource(params),
    "prompts/get": (params) => client.getPrompt(params),
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const { method, params } = JSON.parse(line);
    let outcome;
    try {
      outcome = { result: await methods[method](params) };
    } catch (error) {
      outcome = { error: String(error) };
    }
    outcome.progress = progress.splice(0);
    outcome.asked = asked.splice(0);
    process.stdout.write(JSON.stringify(outcome) + "\n");
  }
  await client.close();
}
