// Asks clamd whether it is there: the command PING (clamd(8)). Throws a `ServerFailure`.

import { bytesOf, NUL, textOf } from "../../text/octets.ts";
import { quote } from "../../text/quoting.ts";
import { type ServerConn, ServerFailure } from "../../wire/server_conn.ts";

const PING = bytesOf("zPING\0");
const ANSWER_LIMIT = 1024;

export async function pingClamd(conn: ServerConn): Promise<void> {
  await conn.send(PING);
  const answer = textOf(await conn.readUntil(NUL, ANSWER_LIMIT));
  if (answer !== "PONG") throw new ServerFailure(`answered PING with ${quote(answer)}`);
}
