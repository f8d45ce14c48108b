// Tests of lib/wire/shared_turn.ts: with any number at work, the event loop gets its turn. Rules share it, and so does all
// that reads a large message.

import assert from "node:assert/strict";
import type { Check } from "../../lib/checks/check.ts";
import { clamdCheck } from "../../lib/checks/clamd/clamd.ts";
import { rspamdCheck } from "../../lib/checks/rspamd/rspamd.ts";
import { spamdCheck } from "../../lib/checks/spamd/spamd.ts";
import { urlsCheck } from "../../lib/checks/urls/urls.ts";
import { parseDnsList } from "../../lib/dns/list.ts";
import { ListStates } from "../../lib/dns/list_states.ts";
import { parseRules } from "../../lib/restrictions/rules/file.ts";
import { rulesRestriction } from "../../lib/restrictions/rules/rules.ts";
import { SharedTurn } from "../../lib/wire/shared_turn.ts";
import { emptyEnvelope } from "../../lib/mail/envelope.ts";
import { messageOf } from "../../lib/mail/message.ts";
import type { Clock, Conn, File, Turn } from "../../lib/ports/runtime.ts";
import { Quarantine } from "../../lib/quarantine/quarantine.ts";
import { Downstream } from "../../lib/session/downstream.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import { editHeader } from "../../lib/spool/edited_header.ts";
import { giveCopy, Outfile } from "../../lib/spool/hand_over.ts";
import type { SpoolFiles } from "../../lib/spool/files.ts";
import type { Spool } from "../../lib/spool/spool.ts";
import { bytesOf, concat } from "../../lib/text/octets.ts";
import { LineConn } from "../../lib/wire/line_conn.ts";
import { FakeDisk } from "../fakes/disk.ts";
import { FakeLogger } from "../fakes/logger.ts";
import { FakeResolver } from "../fakes/resolver.ts";
import { httpAnswer } from "../fakes/rspamd.ts";
import { settled } from "../fakes/settled.ts";
import { spamdAnswer } from "../fakes/spamd.ts";
import { fillSpool, MAIL, newSpool, readAll } from "../fakes/spool.ts";
import { newScene } from "../restrictions/restricted.ts";

interface Timer {
  readonly due: number;
  readonly callback: () => void;
}

/** A clock that moves by work alone; `turn` is a turn of the event loop, which runs what is due. */
class WorkClock implements Clock {
  #now = 0;
  #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  work(milliseconds: number): void {
    this.#now += milliseconds;
  }

  after(delay: number, callback: () => void): () => void {
    const timer = { due: this.#now + delay, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  async turn(): Promise<void> {
    for (const timer of this.#due) {
      this.#timers.delete(timer);
      timer.callback();
    }
    await settled();
  }

  /** Nothing is due in the next turn. */
  get isIdle(): boolean {
    return this.#due.length === 0;
  }

  get #due(): Timer[] {
    return Array.from(this.#timers).filter(({ due }) => due <= this.#now);
  }
}

Deno.test("SharedTurn: one works in a turn of the event loop, in order, and no work is lost", async () => {
  const clock = new WorkClock();
  const turn = new SharedTurn(clock);
  const done: number[] = [];
  for (let worker = 0; worker < 10; worker++) {
    void (async () => {
      for (let slice = 0; slice < 20; slice++) {
        await turn.share();
        clock.work(1);
      }
      done.push(worker);
    })();
  }
  await settled();
  let turns = 0;
  for (; !clock.isIdle; turns++) {
    const before = clock.now();
    await clock.turn();
    assert.ok(clock.now() - before <= 4, `${clock.now() - before} ms in turn ${turns}`);
  }
  assert.deepEqual(done.sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(clock.now(), 200);
  assert.ok(turns <= 100, `${turns} turns`);
});

Deno.test("SharedTurn: work that ends within its turn does not wait", async () => {
  const clock = new WorkClock();
  const turn = new SharedTurn(clock);
  for (let message = 0; message < 3; message++) {
    await turn.share();
    clock.work(1);
    await turn.share();
    // Later, with turns of the event loop in between, in which nobody works.
    await clock.turn();
    clock.work(1000);
  }
  assert.ok(clock.isIdle);
});

Deno.test("rulesRestriction lets others have their turns between its rules", async () => {
  const clock = new WorkClock();
  // Time passes with each look at the clock, as it does in a computer.
  const busy: Clock = {
    now: () => {
      clock.work(1);
      return clock.now();
    },
    after: (delay, callback) => clock.after(delay, callback),
  };
  const rules = parseRules(Array.from({ length: 100 }, (_, at) => `noto:ALL:ALL:/^a*b${at}@/:550 no\n`).join(""));
  const restriction = rulesRestriction(rules, {
    file: "rules",
    delay: 0,
    turn: new SharedTurn(busy),
    listNames: new Map(),
  });
  const { context } = newScene({ address: "192.0.2.1" });
  const envelope = { ...emptyEnvelope(), sender: "me@here.example" };
  let isOver = false;
  const ruling = restriction.recipient!("you@there.example", envelope, context).finally(() => isOver = true);
  let turns = 0;
  for (await settled(); !isOver && turns < 1000; turns++) await clock.turn();
  assert.equal((await ruling).kind, "allow");
  assert.ok(turns >= 20, `${turns} turns`);
});

/** Files whose reads take no turn of the event loop, and a millisecond of work for each piece. */
class BusyDisk extends FakeDisk {
  readonly #work: WorkClock;

  constructor(clock: WorkClock) {
    super(clock);
    this.#work = clock;
  }

  override async create(path: string): Promise<File> {
    return this.#busy(await super.create(path));
  }

  override async open(path: string): Promise<File> {
    return this.#busy(await super.open(path));
  }

  #busy(file: File): File {
    const read: File["read"] = (into, at) => {
      this.#work.work(1);
      return file.read(into, at);
    };
    return { ...file, read };
  }
}

/** A server that takes all octets at once, and gives `answer` when it has `size` of them. */
function takesAll(answer: string, size: number): Conn {
  const whole = Promise.withResolvers<void>();
  let taken = 0;
  let isAnswered = false;
  return {
    read: async (into) => {
      await whole.promise;
      if (isAnswered) return null;
      isAnswered = true;
      into.set(bytesOf(answer));
      return answer.length;
    },
    write: (octets) => {
      taken += octets.length;
      if (taken >= size) whole.resolve();
      return undefined;
    },
    close: () => whole.resolve(),
  };
}

interface Large {
  readonly content: Spool;
  readonly clock: WorkClock;
  readonly disk: BusyDisk;
  readonly files: SpoolFiles;
  readonly turn: Turn;
}

const SERVERS = [{ transport: "tcp", host: "127.0.0.1", port: 1 }] as const;
const SCANNING = { servers: SERVERS, timeout: 1e9 };

/** A check's ports, with a server that answers a whole message. */
function ports({ clock, content: { size } }: Large, answer: string) {
  return { clock, network: { connect: async () => takesAll(answer, size) } };
}

async function judge(check: Check, { content, files }: Large): Promise<void> {
  const options = { signal: new AbortController().signal, limit: 1e9, notice: () => {}, files };
  const { kind } = await check.judge(messageOf(MAIL, content), options);
  assert.equal(kind, "accept");
}

const clamd = (large: Large) => judge(clamdCheck(ports(large, "stream: OK\0"), SCANNING), large);

const rspamd = (large: Large) => {
  const answer = httpAnswer('{"action":"rewrite subject","subject":"x"}');
  return judge(rspamdCheck(ports(large, answer), { ...SCANNING, password: undefined, turn: large.turn }), large);
};

const spamd = (large: Large) => {
  const answer = spamdAnswer(0, "X-Spam-Status: No\n\n");
  return judge(spamdCheck(ports(large, answer), { ...SCANNING, reject: undefined, turn: large.turn }), large);
};

const urls = (large: Large) => {
  const { clock, turn } = large;
  const lists = { dnsbl: [], rhsbl: [parseDnsList("dbl.example")], allowed: new Set<string>(), listNames: new Map() };
  const dns = { timeout: 1e9, lists: new ListStates(new FakeLogger()) };
  return judge(urlsCheck({ clock, resolver: new FakeResolver(clock) }, dns, { ...lists, timeout: 1e9, turn }), large);
};

/** Everything that reads a whole message. */
const READERS: Readonly<Record<string, (large: Large) => Promise<unknown>>> = {
  clamd,
  rspamd,
  spamd,
  urls,
  "scanners side by side": (large) => Promise.all([clamd(large), rspamd(large), spamd(large), urls(large)]),
  "delivery": ({ content, clock }) => {
    const conn = new LineConn(takesAll("", Infinity), clock, { holds: "replies" });
    const downstream = new Downstream(conn, clock, { replyTimeout: 1e9, keepalive: 1e9 });
    return downstream.sendContent(content, 1e9, () => {});
  },
  "a copy in the quarantine": ({ content, clock, disk }) => {
    const why = { outcome: "reject", check: "clamd", reason: "", reply: formatReply("550 no") };
    return new Quarantine({ clock, files: disk }, "/tmp").keep(messageOf(MAIL, content), why, { limit: 1e9 });
  },
  "a copy for a program, which touches it": async ({ content, files, disk }) => {
    const copy = await giveCopy(files, content);
    disk.overwrite(copy.path, disk.octetsOf(copy.path));
    assert.ok(await copy.isIntact());
  },
  "the file for a program, which touches it": async ({ content, disk }) => {
    const file = await content.file();
    disk.overwrite(file.path, disk.octetsOf(file.path));
    assert.equal(await file.changed(), undefined);
  },
  "a program's own version": async ({ content, files, disk }) => {
    const outfile = await Outfile.in(files);
    disk.overwrite(outfile.path, concat([bytesOf("a\r\n"), await readAll(content)]));
    const version = await outfile.written({ ...content, crLines: 2 } as Spool);
    await readAll(version!);
    await version!.file();
  },
  "another header": async ({ content, files, turn }) => {
    const edits = [{ changes: [{ do: "add", name: "X", value: "y" } as const] }];
    await (await editHeader(content, edits, { files, turn })).file();
  },
};

async function spooled(size: number, turn?: Turn): Promise<Large> {
  const clock = new WorkClock();
  const disk = new BusyDisk(clock);
  const shared = turn ?? new SharedTurn(clock);
  const { spool, files } = newSpool(disk, { turn: shared });
  await fillSpool(spool, bytesOf("Subject: x\n\n".padEnd(size, "some text of a line\n")));
  await spool.settle(0);
  return { content: spool, clock, disk, files, turn: shared };
}

/** Does `work`. Gives the most work of a turn of the event loop, in milliseconds. */
async function longestTurn(clock: WorkClock, work: () => Promise<unknown>): Promise<number> {
  let isOver = false;
  let before = clock.now();
  let longest = 0;
  const working = work().finally(() => isOver = true);
  await settled();
  for (let turns = 0; turns < 10_000; turns++) {
    longest = Math.max(longest, clock.now() - before);
    if (isOver) break;
    before = clock.now();
    await clock.turn();
  }
  await working;
  return longest;
}

for (const [name, read] of Object.entries(READERS)) {
  Deno.test(`A large message lets others have their turns, a small one asks for none: ${name}`, async () => {
    const large = await spooled(5_000_000);
    const longest = await longestTurn(large.clock, () => read(large));
    assert.ok(large.clock.now() > 12, "it was not read");
    // After 2 ms, each of the four scanners may begin one more piece.
    assert.ok(longest <= 7, `${longest} ms in a turn`);

    const asked = { share: () => Promise.reject(new Error("a small message asked for a turn")) };
    await read(await spooled(5_000, asked));
  });
}
