// Asks rspamd whether it is there: GET /ping, which needs no password. Throws a `ServerFailure`.

import { bytesOf } from "../../text/octets.ts";
import { type ServerConn, ServerFailure } from "../../wire/server_conn.ts";
import { HttpResponse } from "./http_response.ts";

const PING = bytesOf("GET /ping HTTP/1.1\r\nHost: rspamd\r\nUser-Agent: postprox\r\nConnection: close\r\n\r\n");

// The whole answer is "pong".
const BODY_LIMIT = 1024;

export async function pingRspamd(conn: ServerConn): Promise<void> {
  let size = 0;
  const response = new HttpResponse((octets) => {
    size += octets.length;
    if (size > BODY_LIMIT) throw new ServerFailure("answered GET /ping as rspamd never does");
  });
  await conn.send(PING);
  for (let isFirst = true; !response.isWhole; isFirst = false) {
    const octets = await conn.readSome();
    if (octets === undefined) {
      if (isFirst) throw new ServerFailure("closed the connection");
      response.end();
      break;
    }
    response.push(octets);
  }
  if (response.status !== 200) throw new ServerFailure(`answered GET /ping with HTTP status ${response.status}`);
}
