// Asks spamd whether it is there: the command PING of its protocol. Throws a `ServerFailure`.

import { bytesOf, LF, textOf } from "../../text/octets.ts";
import { quote } from "../../text/quoting.ts";
import { type ServerConn, ServerFailure } from "../../wire/server_conn.ts";

const PING = bytesOf("PING SPAMC/1.5\r\n\r\n");
const ANSWER_LIMIT = 1024;

export async function pingSpamd(conn: ServerConn): Promise<void> {
  await conn.send(PING);
  const answer = textOf(await conn.readUntil(LF, ANSWER_LIMIT)).trimEnd();
  if (!/^SPAMD\/[0-9.]+ +0 +PONG$/.test(answer)) throw new ServerFailure(`answered PING with ${quote(answer)}`);
}
