// The mail server of the demonstration. It takes one message at a time and keeps its text. It knows no more SMTP than
// that needs.

/**
 * Starts a server on a free port of 127.0.0.1. `delivered` is the text of the last message, with its CRLF line ends.
 */
export function startServer(): { port: number; delivered: string; close(): void } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const server = { port: listener.addr.port, delivered: "", close: () => listener.close() };
  (async () => {
    for await (const conn of listener) serve(conn, server).finally(() => conn.close());
  })();
  return server;
}

/** Reads all lines of one reply. */
export async function readReply(conn: Deno.Conn): Promise<string> {
  return await readUntil(conn, /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n$/);
}

/** Waits until a program has written a line. */
export async function waitForLine(stream: ReadableStream<Uint8Array>): Promise<void> {
  const reader = stream.getReader();
  const { done } = await reader.read();
  reader.releaseLock();
  if (done) throw new Error("postprox did not start");
}

const REPLIES: Readonly<Record<string, string>> = {
  EHLO: "250-server.example\r\n250-PIPELINING\r\n250-XFORWARD NAME ADDR PROTO HELO\r\n250 8BITMIME\r\n",
  XFOR: "250 2.0.0 Ok\r\n",
  MAIL: "250 2.1.0 Ok\r\n",
  RCPT: "250 2.1.5 Ok\r\n",
  RSET: "250 2.0.0 Ok\r\n",
  DATA: "354 End data with <CR><LF>.<CR><LF>\r\n",
  QUIT: "221 2.0.0 Bye\r\n",
};

async function serve(conn: Deno.Conn, server: { delivered: string }): Promise<void> {
  await say(conn, "220 server.example ESMTP\r\n");
  for (;;) {
    const verb = (await readUntil(conn, /\r\n$/)).slice(0, 4).toUpperCase();
    if (verb === "") return;
    await say(conn, REPLIES[verb] ?? "502 5.5.2 Error: command not recognized\r\n");
    if (verb === "QUIT") return;
    if (verb !== "DATA") continue;
    const text = await readUntil(conn, /(?:^|\r\n)\.\r\n$/);
    server.delivered = text.slice(0, -".\r\n".length).replace(/^\./gm, "");
    await say(conn, "250 2.0.0 Ok: queued\r\n");
  }
}

async function readUntil(conn: Deno.Conn, end: RegExp): Promise<string> {
  const buffer = new Uint8Array(4096);
  let text = "";
  while (!end.test(text)) {
    const count = await conn.read(buffer);
    if (count === null) return "";
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return text;
}

async function say(conn: Deno.Conn, text: string): Promise<void> {
  await conn.write(new TextEncoder().encode(text));
}
