/**
 * A connector in TypeScript: items of the test upstream, over MCP, with the official SDK and nothing of the hub's.
 *
 * Each write says under "dev.toolhub/operation" what it does, which tools preview it and read it back, and what undoes
 * it; in a call, "dev.toolhub/commit" says which guard must still hold. Started with the upstream's address and token
 * in the environment; prints {"port": ...} and ends with its standard input.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { CallToolRequestSchema, ListToolsRequestSchema, type Tool } from "@modelcontextprotocol/sdk/types.js";

type Json = any; // a tool's arguments and answers are JSON of any shape
type Item = { id: number; name: string; quantity: number; version: number };
type Told = { value: Json } | { code: string; message: string };

const UPSTREAM = process.env.UPSTREAM_URL!;
const TOKEN = process.env.UPSTREAM_TOKEN!;

const id = { type: "integer", minimum: 1, maximum: 2 ** 31 };
const quantity = { type: "integer", minimum: 0, maximum: 1_000_000 };
const item = {
  type: "object" as const,
  properties: { id, name: { type: "string" }, quantity, version: { type: "integer" } },
  required: ["id", "name", "quantity", "version"],
};
const change = {
  type: "object" as const,
  properties: { id, quantity },
  required: ["id", "quantity"],
  additionalProperties: false,
};

const TOOLS: Tool[] = [
  {
    name: "item_get",
    description: "Read one item.",
    inputSchema: { type: "object", properties: { id }, required: ["id"], additionalProperties: false },
    outputSchema: item,
    _meta: { "dev.toolhub/operation": { effect: "read", tier: "low" } },
  },
  {
    name: "item_count",
    description: "Set how many of an item there are.",
    inputSchema: change,
    outputSchema: item,
    _meta: {
      "dev.toolhub/operation": {
        effect: "update",
        tier: "medium",
        upstream_class: "B",
        fidelity: "simulated",
        reversal: "exact",
        compensation: {
          tool: "item_count",
          arguments: { id: "/input/id", quantity: "/before/0/quantity" },
          kind: "exact",
        },
        volatile: ["version"],
        phases: { preview: "item_count-preview", observe: "item_count-observe" },
      },
    },
  },
  { name: "item_count-preview", description: "What item_count would change.", inputSchema: change },
  {
    name: "item_count-observe",
    description: "What item_count has changed.",
    inputSchema: { type: "object", properties: { input: change } },
  },
];

const CODES: Record<number, string> = {
  404: "upstream_not_found",
  409: "upstream_conflict",
  412: "upstream_conflict",
  428: "upstream_conflict",
  429: "upstream_unavailable",
};

async function ask(method: string, path: string, body?: Json, headers: Record<string, string> = {}): Promise<Told> {
  const sent = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...headers };
  let answer: Response;
  try {
    answer = await fetch(UPSTREAM + path, { method, headers: sent, body: body && JSON.stringify(body) });
  } catch {
    return { code: method === "GET" ? "upstream_unavailable" : "upstream_unknown", message: "No answer came." };
  }
  const said: Json = await answer.json().catch(() => ({}));
  if (answer.ok) return { value: said };
  const isUnclear = answer.status >= 500 && method !== "GET";
  const code = isUnclear ? "upstream_unknown" : (CODES[answer.status] ?? "upstream_refused");
  return { code, message: String(said.detail ?? `The system answered ${answer.status}.`) };
}

async function preview(wanted: { id: number; quantity: number }): Promise<Told> {
  const found = await ask("GET", `/items/${wanted.id}`);
  if (!("value" in found)) return found;
  const before: Item = found.value;
  const { version, ...steady } = before;
  const target = `items/${before.id}`;
  const after = { ...steady, quantity: wanted.quantity };
  return {
    value: {
      changes: [{ target, effect: "update", before, after, unknown: ["version"] }],
      preconditions: [{ target, token: `"${version}"` }],
      blast: { rows: 1 },
    },
  };
}

async function observe(wanted: { id: number }): Promise<Told> {
  const found = await ask("GET", `/items/${wanted.id}`);
  if ("value" in found) return { value: { records: { [`items/${wanted.id}`]: found.value } } };
  return found.code === "upstream_not_found" ? { value: { records: { [`items/${wanted.id}`]: null } } } : found;
}

async function call(name: string, given: Json, meta: Json): Promise<Told> {
  switch (name) {
    case "item_get":
      return ask("GET", `/items/${given.id}`);
    case "item_count-preview":
      return preview(given);
    case "item_count-observe":
      return observe(given.input);
    case "item_count": {
      const guard = meta?.["dev.toolhub/commit"]?.guard?.[`items/${given.id}`];
      if (guard === undefined) return { code: "upstream_refused", message: "Preview it first: there is no guard." };
      return ask("PATCH", `/items/${given.id}`, { quantity: given.quantity }, { "if-match": guard });
    }
    default:
      return { code: "upstream_refused", message: `There is no tool ${name}.` };
  }
}

function connector(): Server {
  const server = new Server({ name: "items", version: "1.0.0" }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, async () => ({ tools: TOOLS }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }) => {
    const told = await call(params.name, params.arguments ?? {}, params._meta);
    const structuredContent: Json = "value" in told ? told.value : told;
    const content = [{ type: "text" as const, text: JSON.stringify(structuredContent) }];
    return { content, structuredContent, isError: !("value" in told) };
  });
  return server;
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
  const server = connector();
  response.on("close", () => void server.close());
  await server.connect(transport);
  await transport.handleRequest(request, response);
}

const listener = createServer((request, response) => void serve(request, response));
listener.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ port: (listener.address() as AddressInfo).port }));
});
process.stdin.on("end", () => process.exit(0)).resume();
