// A stub resolver (RFC 1034 s.5.3.1): it asks a name server that does the rest. It asks by UDP, and by TCP if the
// answer is long.
//
// The resolvers of the runtimes are not good enough. Deno's (2.9) reports a failing server as a name that does not
// exist. So a disturbance would refuse mail. It also answers for `localhost` itself, and may write about odd answers to
// standard error, which is the client under spawn(8). Bun's (1.4) gives the strings of one text as several texts.
//
// This one has no search domains and no /etc/hosts. It asks a silent server twice and a failing one once, then the next
// server. Each datagram has its own socket, port and id, so a forger must guess them (RFC 5452). The number of lookups
// at once is limited for the process. Others wait, within their own time limit. DNS lists have a limit of their own, so
// that slow lookups of strangers' names do not hold them up.

import { IoError } from "../ports/io_error.ts";
import type {
  Clock,
  Conn,
  Files,
  NameServer,
  Network,
  RecordType,
  ResolveOptions,
  Resolver,
} from "../ports/runtime.ts";
import { readTextFile } from "../ports/small_file.ts";
import { concat } from "../text/octets.ts";
import { dnsName } from "../text/domain.ts";
import { type Answer, formatQuestion, MalformedAnswer, parseAnswer, type Question, uint16 } from "./message.ts";
import { parseNameServers } from "./resolv_conf.ts";
import { Turns } from "../wire/turns.ts";

// For each of the two kinds. Each lookup has a descriptor. A process may have only 1024, and clients need them, too.
const LOOKUPS_AT_ONCE = 100;

const RESOLV_CONF = "/etc/resolv.conf";

// RCODEs (RFC 1035 s.4.1.1).
const NO_ERROR = 0;
const NO_SUCH_NAME = 3;
const FAILURES: Readonly<Record<number, string>> = { 1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED" };

export interface ResolverPorts {
  readonly clock: Clock;
  readonly files: Pick<Files, "open">;
  readonly network: Pick<Network, "connect" | "udp">;
}

export class StubResolver implements Resolver {
  readonly #ports: ResolverPorts;
  readonly #turns: Turns;
  readonly #listTurns: Turns;

  constructor(ports: ResolverPorts) {
    this.#ports = ports;
    this.#turns = new Turns(ports.clock, LOOKUPS_AT_ONCE);
    this.#listTurns = new Turns(ports.clock, LOOKUPS_AT_ONCE);
  }

  async resolve(
    name: string,
    type: RecordType,
    { limit, server, isList = false }: ResolveOptions,
  ): Promise<readonly string[]> {
    const asked = dnsName(name);
    if (asked === undefined) return [];
    const deadline = this.#ports.clock.now() + limit;
    const endTurn = await (isList ? this.#listTurns : this.#turns).take(limit);
    if (!endTurn) throw new IoError("timeout", `${type} of ${name}: too many lookups under way for ${limit / 1000} s`);
    try {
      const servers = server ? [server] : await this.#systemServers();
      return await this.#askInTurn(servers, { name: asked, type }, deadline);
    } catch (error) {
      if (!(error instanceof IoError || error instanceof MalformedAnswer)) throw error;
      throw new IoError(error instanceof IoError ? error.kind : "other", `${type} of ${name}: ${error.message}`);
    } finally {
      endTurn();
    }
  }

  // Each possible attempt gets an equal part of the time that is left.
  async #askInTurn(
    servers: readonly NameServer[],
    wanted: Omit<Question, "id">,
    deadline: number,
  ): Promise<readonly string[]> {
    const { clock } = this.#ports;
    const attempts = [...servers, ...servers];
    const failed = new Set<NameServer>();
    let failure: unknown;
    for (const [at, server] of attempts.entries()) {
      if (failed.has(server)) continue;
      const question = { ...wanted, id: crypto.getRandomValues(new Uint16Array(1))[0]! };
      const part = (deadline - clock.now()) / (attempts.length - at);
      try {
        return recordsOf(await this.#ask(server, question, clock.now() + part));
      } catch (error) {
        failure = error;
        if (!(error instanceof IoError && error.kind === "timeout")) failed.add(server);
      }
    }
    throw failure;
  }

  async #ask(server: NameServer, question: Question, deadline: number): Promise<Answer> {
    const answer = await this.#askByDatagram(server, question, deadline);
    return answer.truncated ? await this.#askByStream(server, question, deadline) : answer;
  }

  async #askByDatagram(server: NameServer, question: Question, deadline: number): Promise<Answer> {
    const socket = await this.#ports.network.udp(server);
    return await this.#using(socket, deadline, async () => {
      await socket.send(formatQuestion(question));
      for (;;) {
        const answer = parseAnswer(await socket.receive(), question);
        if (answer) return answer;
      }
    });
  }

  // RFC 1035 s.4.2.2: two octets with the length come first.
  async #askByStream({ address: host, port }: NameServer, question: Question, deadline: number): Promise<Answer> {
    const { clock, network } = this.#ports;
    const conn = await network.connect({ transport: "tcp", host, port }, deadline - clock.now());
    return await this.#using(conn, deadline, async () => {
      const query = formatQuestion(question);
      await conn.write(concat([uint16(query.length), query]));
      const [high, low] = await readWhole(conn, 2);
      const answer = parseAnswer(await readWhole(conn, high! << 8 | low!), question);
      if (!answer || answer.truncated) throw new MalformedAnswer("what came by TCP is no answer");
      return answer;
    });
  }

  async #using<T>(socket: { close(): void }, deadline: number, use: () => Promise<T>): Promise<T> {
    const { clock } = this.#ports;
    let isLate = false;
    const cancel = clock.after(deadline - clock.now(), () => {
      isLate = true;
      socket.close();
    });
    try {
      return await use();
    } catch (error) {
      throw isLate ? new IoError("timeout", "no answer in time") : error;
    } finally {
      cancel();
      socket.close();
    }
  }

  // Read for each lookup, because a host may move to another network while a server runs.
  async #systemServers(): Promise<readonly NameServer[]> {
    try {
      return parseNameServers(await readTextFile(this.#ports.files, RESOLV_CONF));
    } catch (error) {
      if (!(error instanceof IoError) || error.kind !== "missing") throw error;
      return parseNameServers("");
    }
  }
}

function recordsOf({ code, records, isWhole }: Answer): readonly string[] {
  if (code === NO_SUCH_NAME) return [];
  if (code !== NO_ERROR) throw new IoError("other", `name server says ${FAILURES[code] ?? `RCODE ${code}`}`);
  if (records.length === 0 && !isWhole) throw new IoError("other", "name server does not know, and asks no other");
  return records;
}

async function readWhole(conn: Conn, count: number): Promise<Uint8Array> {
  const octets = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const read = await conn.read(octets.subarray(at));
    if (read === null) throw new IoError("reset", "name server closed the connection");
    at += read;
  }
  return octets;
}
