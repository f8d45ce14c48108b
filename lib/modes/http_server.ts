// A small HTTP server for the pages of --metrics. It must never delay mail.
//
// At most 100 clients are served at a time, and none for longer than 30 s. Another client gets 503. A flood of clients waits
// outside: 100 of them are accepted at once, and then one each 5 ms. So a flood costs a fifth of the time of the event loop
// at most. Errors of a client end its connection and nothing else. An error in a page is a bug: 500, and the log has it.

import { tell } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import { formatResponse, plainText, type Request, RequestReader, type Response } from "../metrics/http.ts";
import { IoError } from "../ports/io_error.ts";
import type { Clock, Conn, Listener } from "../ports/runtime.ts";
import { acceptNext } from "./accept.ts";

/** The clients at a time. */
export const CLIENTS_LIMIT = 100;

/** How long a client may take, its response included. In milliseconds. */
export const CLIENT_LIMIT = 30_000;

// So many clients are accepted at once. After that, there is a pause before each.
const BURST = 100;
const PAUSE = 5;

// If octets of a request are still on their way when we close, the client may lose the response. So we read so many of them,
// for so many milliseconds.
const LEFT_LIMIT = 262_144;
const LEFT_PATIENCE = 500;

const READ_SIZE = 4096;

/** Makes the page at a path. */
export type Page = (request: Request) => Response | Promise<Response>;

export interface HttpParts {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Serves `pages`, by their paths, until `listener` is closed. Returns then. */
export async function serveHttp(
  parts: HttpParts,
  listener: Listener,
  pages: ReadonlyMap<string, Page>,
): Promise<void> {
  const { clock } = parts;
  const pause = (time: number) => new Promise<void>((resolve) => clock.after(time, resolve));
  let serving = 0;
  // How many may come at once now. It grows with the time.
  let room = BURST;
  let looked = clock.now();
  for (;;) {
    const now = clock.now();
    room = Math.min(BURST, room + (now - looked) / PAUSE);
    looked = now;
    if (room < 1) {
      await pause(PAUSE);
      continue;
    }
    const conn = await acceptNext(listener, clock);
    if (!conn) return;
    room--;
    const isOne = serving < CLIENTS_LIMIT;
    serving++;
    void serveClient(parts, conn, isOne ? pages : undefined).finally(() => serving--);
  }
}

// Never throws. Without `pages` there is no room for this client.
async function serveClient(
  { clock, logger }: HttpParts,
  conn: Conn,
  pages: ReadonlyMap<string, Page> | undefined,
): Promise<void> {
  const cancel = clock.after(pages ? CLIENT_LIMIT : LEFT_PATIENCE, () => conn.close());
  try {
    const asked = pages ? await readRequest(conn) : undefined;
    if (pages && asked === undefined) return;
    const response = !pages
      ? plainText(503, `${CLIENTS_LIMIT} clients are served at a time: try again`)
      : await responseTo(asked!, pages, logger);
    const isHead = asked !== undefined && "isHead" in asked && asked.isHead;
    await conn.write(formatResponse(response, { isHead, now: new Date() }));
    if (!asked || !("isHead" in asked)) await readLeft(conn, clock);
  } catch (error) {
    if (!(error instanceof IoError)) tell(logger, "bug", { error });
  } finally {
    cancel();
    conn.close();
  }
}

type Asked = NonNullable<ReturnType<RequestReader["push"]>>;

async function readRequest(conn: Conn): Promise<Asked | undefined> {
  const reader = new RequestReader();
  const room = new Uint8Array(READ_SIZE);
  for (;;) {
    const count = await conn.read(room);
    if (count === null) return undefined;
    const asked = reader.push(room.subarray(0, count));
    if (asked) return asked;
  }
}

async function responseTo(asked: Asked, pages: ReadonlyMap<string, Page>, logger: Logger): Promise<Response> {
  if (!("isHead" in asked)) {
    const { status, why } = asked;
    return plainText(status, why, status === 405 ? { Allow: "GET, HEAD" } : undefined);
  }
  const page = pages.get(asked.path);
  if (!page) return plainText(404, `there is no such page: there are ${[...pages.keys()].join(", ")}`);
  try {
    return await page(asked);
  } catch (error) {
    tell(logger, "bug", { error });
    return plainText(500, "postprox made an error: see its log");
  }
}

// Until the client closes.
async function readLeft(conn: Conn, clock: Clock): Promise<void> {
  const cancel = clock.after(LEFT_PATIENCE, () => conn.close());
  const room = new Uint8Array(READ_SIZE);
  try {
    for (let left = 0; left < LEFT_LIMIT;) {
      const count = await conn.read(room);
      if (count === null) return;
      left += count;
    }
  } finally {
    cancel();
  }
}
