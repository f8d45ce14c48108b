// A small HTTP client for tests: one request, and the whole answer until the server closes.

import assert from "node:assert/strict";
import { within } from "./wait.ts";

export type HttpAddress = { readonly port: number } | { readonly path: string };

export interface HttpAnswer {
  readonly status: number;
  /** By their names in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  readonly body: string;
}

export function connectHttp(at: HttpAddress): Promise<Deno.Conn> {
  return "port" in at
    ? Deno.connect({ hostname: "127.0.0.1", port: at.port })
    : Deno.connect({ transport: "unix", path: at.path });
}

/** Asks for a page. */
export async function ask(
  at: HttpAddress,
  path: string,
  { method = "GET", accept }: { method?: string; accept?: string } = {},
): Promise<HttpAnswer> {
  const fields = accept === undefined ? "" : `Accept: ${accept}\r\n`;
  return await askRaw(at, `${method} ${path} HTTP/1.1\r\nHost: postprox.test\r\n${fields}\r\n`);
}

/** Sends octets as they are, and reads the answer. */
export async function askRaw(at: HttpAddress, octets: string): Promise<HttpAnswer> {
  using conn = await connectHttp(at);
  await conn.write(new TextEncoder().encode(octets));
  return parseAnswer(await within(readAll(conn), `the answer to ${octets.slice(0, 40)}`));
}

async function readAll(conn: Deno.Conn): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  const room = new Uint8Array(65_536);
  for (;;) {
    const count = await conn.read(room);
    if (count === null) return text;
    text += decoder.decode(room.subarray(0, count), { stream: true });
  }
}

function parseAnswer(text: string): HttpAnswer {
  const [, head = "", body = ""] = /^([^]*?)\r\n\r\n([^]*)$/.exec(text) ?? [];
  const [start = "", ...lines] = head.split("\r\n");
  const status = /^HTTP\/1\.1 ([0-9]{3}) /.exec(start)?.[1];
  assert.ok(status, `no HTTP answer: ${text.slice(0, 200)}`);
  const fields = new Map(lines.map((line) => {
    const [, name = "", value = ""] = /^([^:]+): (.*)$/.exec(line) ?? [];
    return [name.toLowerCase(), value];
  }));
  return { status: Number(status), fields, body };
}
