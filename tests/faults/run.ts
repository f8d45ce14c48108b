// Plays one dialogue again and again, each time with one failure in it, and judges each.
//
// The first dialogue has three messages: a small one that its filter passes, one that is too large for memory, and one
// that its filter replaces. It is also played without a filter, where a large message is a file without a name. Further
// dialogues have other checks, two commands or a quarantine in place of the filter. The judge of the fuzz checks what
// no fault may change: no 2xx that downstream did not say, nothing delivered twice or in part, nothing left behind, a
// copy in the quarantine for each message that was discarded. This file checks the rest: the class of reply for each
// fault, and that a fault changes the reply to no other message.

import type { Filter, Input, Settings, Step } from "../fuzz/input.ts";
import { judge, standing } from "../fuzz/judge.ts";
import { ReplyScan } from "../rig/replies.ts";
import { type Played, playInput } from "../fuzz/world.ts";
import { settled } from "../fakes/settled.ts";
import { CAUGHT_BY_RULES, LISTED_CLIENT } from "../fuzz/checks.ts";
import { type Fault, Faulty, KINDS, type Operation, OPERATIONS } from "./faulty.ts";

export interface Dialogue {
  readonly name: string;
  readonly input: Input;
  readonly places: readonly string[];
  /** Only these operations fail; absent: all. */
  readonly operations?: readonly Operation[];
}

/** The outcome of one fault. */
export interface Outcome {
  readonly fault: Fault;
  readonly dialogue: string;
  readonly place: string;
  readonly client: string;
  readonly downstream: string;
  readonly log: string;
  readonly complaints: readonly string[];
}

// In few lines: the judge takes time for each, again for each fault.
const LARGE = `${"a large message ".padEnd(998, ".")}\r\n`.repeat(520);

// Just too large for memory.
const LARGER = LARGE.slice(0, 270_000);

const WITH_SUBJECT = (subject: string, fields = "") => `Subject: ${subject}\r\n${fields}\r\n${subject}\r\n`;

/** A client of this message is not checked. */
const BYPASSED = "bypassed";

interface Parts {
  readonly settings: Settings;
  readonly contents: Readonly<Record<string, string>>;
  readonly filters?: readonly Filter[];
  readonly operations?: readonly Operation[];
}

function dialogue(name: string, { settings, contents, filters = [], operations }: Parts): Dialogue {
  // A helper that ends is noticed in a moment.
  const pause: Step[] = settings.helper ? [{ do: "pass", ms: 1000 }] : [];
  const steps: Step[] = [...pause, { do: "say", text: "EHLO client\r\n" }];
  const places = [...pause.map(() => "the start"), "EHLO"];
  for (const [size, content] of Object.entries(contents)) {
    const isBypassed = size === BYPASSED;
    const parts = [
      ...isBypassed ? [`XFORWARD ADDR=${LISTED_CLIENT} HELO=x+20y\r\n`] : [],
      `MAIL FROM:<${size.replaceAll(" ", "")}@client>\r\n`,
      "RCPT TO:<x@mx>\r\n",
      "DATA\r\n",
      `${content}.\r\n`,
    ];
    steps.push(...parts.map((text): Step => ({ do: "say", text })), ...pause);
    const own = [
      ...isBypassed ? ["XFORWARD"] : [],
      "MAIL",
      "RCPT",
      "DATA",
      "the content",
      ...pause.map(() => "the content"),
    ];
    places.push(...own.map((place) => `${size} message: ${place}`));
  }
  return { name, input: { settings, steps, mx: [], filters }, places, ...operations ? { operations } : {} };
}

const REPLACED: readonly Filter[] = [{ exit: 0 }, { exit: 0 }, { exit: 0, outfile: "replaced\n" }];

const OF_DISK = [
  "create",
  "append",
  "stat of a file",
  "stat of a path",
  "open",
  "read back",
  "unlink",
  "lock",
  "sync",
  "sync of a directory",
  "rename",
] as const;
const OF_SCANNERS = ["connect to scanner", "read scanner", "write scanner", "look up in list", "look up host"] as const;

// A clean message and one that each of them catches.
function scanner(name: "clamd" | "rspamd" | "spamd" | "urls", rejectUnsure: boolean): Dialogue {
  const mark = { clamd: "X-Clamd: caught\r\n", rspamd: "X-Rspamd: caught\r\n", spamd: "X-Spamd: caught\r\n", urls: "" };
  const caught = name === "urls" ? "http://address.example/ " : "caught";
  return dialogue(`with ${name === "urls" ? "URL lists" : name}${rejectUnsure ? " and -r" : ""}`, {
    settings: { scanners: [name], rejectUnsure },
    contents: {
      "clean": WITH_SUBJECT("http://clean.example/ "),
      "caught": WITH_SUBJECT(caught, mark[name]),
    },
    operations: OF_SCANNERS,
  });
}

// All side by side. A message that is larger than memory is in a file, which each of them reads by itself.
const SIDE_BY_SIDE = dialogue("with all scanners", {
  settings: { scanners: ["clamd", "rspamd", "spamd", "urls"], rejectUnsure: true },
  contents: { "small": WITH_SUBJECT("http://clean.example/ "), "large": `Subject: large\r\n\r\n${LARGER}` },
  operations: [...OF_SCANNERS, "read client", "create", "append", "read back"],
});

const KEPT = dialogue("with a quarantine", {
  settings: { scanners: ["clamd", "rspamd"], quarantine: true },
  contents: {
    "refused": WITH_SUBJECT("virus", "X-Clamd: caught\r\n"),
    "discarded": WITH_SUBJECT("spam", "X-Rspamd: discard\r\n"),
    "large quarantined": `Subject: large\r\nX-Rspamd: quarantine\r\n\r\n${LARGER}`,
  },
  operations: [...OF_DISK, ...OF_SCANNERS],
});

const OF_PROGRAMS = ["spawn", "wait", "read stderr"] as const;

// The file in which it gets a message is what it may change.
const CHECKED = dialogue("with an external checker", {
  settings: { extchk: true },
  contents: { "small": "one\r\n", "refused": "two\r\n", "changed": `three\r\n${LARGER}` },
  filters: [{ of: "two", exit: 1 }, { of: "three", exit: 0, outfile: "checked\n" }],
  operations: [...OF_PROGRAMS, ...OF_DISK, "set the time of a file"],
});

// Each command knows the message by what the one before has made of it.
const THEN = dialogue("with two commands", {
  settings: { filter: true, then: 1 },
  contents: { "small": "one\r\n", "refused": "two\r\n", "replaced": "three\r\n" },
  filters: [
    { of: "made of two", exit: 1 },
    { of: "two", exit: 0, outfile: "made of two\n" },
    { of: "made of three", exit: 0, outfile: "made of that\n" },
    { of: "three", exit: 0, outfile: "made of three\n" },
  ],
  operations: [...OF_PROGRAMS, ...OF_DISK],
});

const RULED = dialogue("with filter rules", {
  settings: { contentRules: true },
  contents: {
    "small": "one\r\n",
    "refused": `Subject: ${CAUGHT_BY_RULES}\r\n\r\n`,
    "large refused": `${LARGER}${CAUGHT_BY_RULES}\r\n`,
  },
  operations: OF_DISK,
});

// A message that nobody looks at, and one that is refused.
const PASSED_BY = dialogue("with --bypass", {
  settings: { scanners: ["clamd"], extchk: true, bypass: true },
  contents: {
    [BYPASSED]: WITH_SUBJECT("caught", "X-Clamd: caught\r\n"),
    "caught": WITH_SUBJECT("caught", "X-Clamd: caught\r\n"),
  },
  operations: [...OF_PROGRAMS, ...OF_SCANNERS, ...OF_DISK],
});

// The other server answers, so a fault changes nothing.
const TWO_SERVERS = dialogue("with two servers of each scanner", {
  settings: { scanners: ["clamd", "rspamd", "spamd"], twoServers: true, rejectUnsure: true },
  contents: {
    "clean": WITH_SUBJECT("clean"),
    "marked": WITH_SUBJECT("spam", "X-Rspamd: marked\r\nX-Spamd: marked\r\n"),
    "caught": WITH_SUBJECT("virus", "X-Clamd: caught\r\n"),
  },
  operations: OF_SCANNERS,
});

const HELPED: readonly Filter[] = [
  { of: "two", exit: 1, stderr: "550 5.7.1 no\n" },
  { of: "three", exit: 0, outfile: "replaced\n" },
];

const OF_HELPER = ["start helper", "read helper", "write helper", "read stderr", "wait"] as const;

function helper(rejectUnsure: boolean): Dialogue {
  return dialogue(`with a helper${rejectUnsure ? " and -r" : ""}`, {
    settings: { filter: true, helper: true, rejectUnsure },
    contents: { "small": "one\r\n", "refused": "two\r\n", "replaced": "three\r\n" },
    filters: HELPED,
    operations: rejectUnsure ? OF_HELPER : [...OF_HELPER, ...OF_DISK, "read client", "write client"],
  });
}

export const DIALOGUES: readonly Dialogue[] = [
  dialogue("with a filter", {
    settings: { filter: true },
    contents: { "small": "one\r\n", "large": LARGE, "replaced": "three\r\n" },
    filters: REPLACED,
  }),
  dialogue("without a filter", { settings: {}, contents: { "small": "one\r\n", "large": LARGE } }),
  ...(["clamd", "rspamd", "spamd", "urls"] as const).flatMap((name) => [scanner(name, false), scanner(name, true)]),
  SIDE_BY_SIDE,
  TWO_SERVERS,
  KEPT,
  RULED,
  CHECKED,
  THEN,
  PASSED_BY,
  helper(false),
  helper(true),
];

/** What the client hears to each message of a dialogue without a fault. */
const USUAL = new Map<Dialogue, readonly number[]>();

/** Every fault there is in `dialogue`: each call of each operation that a run without faults makes, with each kind. */
export async function* everyFault(dialogue: Dialogue): AsyncGenerator<Fault> {
  const faultless = new Faulty();
  const played = await playWith(dialogue, faultless);
  const { complaints } = judge(played);
  if (complaints.length > 0) throw new Error(`${dialogue.name} without a fault: ${complaints.join("; ")}`);
  USUAL.set(dialogue, codesOf(played));
  for (const operation of dialogue.operations ?? OPERATIONS) {
    const count = faultless.calls.filter((call) => call.operation === operation).length;
    for (let call = 0; call < count; call++) for (const kind of KINDS[operation]) yield { operation, call, kind };
  }
}

/** Plays `dialogue` with `fault` in it. */
export async function playFault(dialogue: Dialogue, fault: Fault): Promise<Outcome> {
  const faulty = new Faulty(fault);
  const uncaught: string[] = [];
  const onUncaught = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    uncaught.push(`uncaught: ${event.reason}`);
  };
  addEventListener("unhandledrejection", onUncaught);
  const played = await playWith(dialogue, faulty, fault);
  await settled();
  removeEventListener("unhandledrejection", onUncaught);
  const complaints = judge(played).complaints.filter((complaint) => !isForeseen(complaint, fault));
  const places = faulty.calls.filter(({ operation }) => operation === fault.operation);
  const client = clientHears(played);
  return {
    fault,
    dialogue: dialogue.name,
    place: places[fault.call]?.place ?? "",
    client,
    downstream: downstreamSees(played),
    log: logHas(played),
    complaints: [
      ...uncaught,
      ...complaints,
      ...faulty.happened ? [] : ["the fault did not happen"],
      ...wrongClass(played, { dialogue, fault, place: places[fault.call]?.place ?? "" }),
    ],
  };
}

async function playWith(dialogue: Dialogue, faulty: Faulty, fault?: Fault): Promise<Played> {
  faulty.place = "the start";
  const onStep = (at: number) => faulty.place = dialogue.places[at] ?? "the end";
  const around = {
    runtime: faulty.runtime.bind(faulty),
    client: faulty.client.bind(faulty),
    spawnFault: faulty.spawn.bind(faulty),
    onStep,
  };
  return await playInput(dialogue.input, standing, { ...around, ...fault ? { fault: whose(fault.operation) } : {} });
}

function whose(operation: Operation): "client" | "other" {
  return /client/.test(operation) ? "client" : "other";
}

// A file that could not be removed is still there: the sweep at the next start has it.
function isForeseen(complaint: string, { operation }: Fault): boolean {
  return operation === "unlink" && complaint.startsWith("left in the spool");
}

// --- the classes of reply

const SPOOL: readonly Operation[] = [
  "create",
  "append",
  "stat of a file",
  "stat of a path",
  "open",
  "read back",
];

const OF_QUARANTINE: readonly Operation[] = ["lock", "sync", "sync of a directory", "rename"];

interface At {
  readonly dialogue: Dialogue;
  readonly fault: Fault;
  readonly place: string;
}

// Every reply that is no downstream's own, by the operation that failed. And a fault of a check or of the quarantine
// changes only the reply to the message that it belongs to.
function wrongClass(played: Played, at: At): string[] {
  const { dialogue, fault: { operation }, place } = at;
  const usual = USUAL.get(dialogue)!;
  const allowed = [...allowedCodes(at), ...usual.filter((code) => code !== 250 || dialogue === KEPT)];
  const wrong = ownReplies(played).filter((code) => !allowed.includes(code)).map((code) =>
    `${code} where ${allowed.join(" or ") || "no reply"} belongs`
  );
  if (/client|downstream|^connect$/.test(operation)) return wrong;
  const names = [...new Set(dialogue.places.flatMap((place) => /^(.*) message: /.exec(place)?.[1] ?? []))];
  names.push("last");
  const own = names.indexOf(/^(.*) message: /.exec(place)?.[1] ?? (place === "the end" ? "last" : ""));
  codesOf(played).slice(0, usual.length).forEach((code, number) => {
    if (code === usual[number] || code === 421) return;
    if (number !== own) wrong.push(`${code} to the ${names[number]} message, which has no part in it`);
    else if (!allowedFor(at, usual[number]!).includes(code)) wrong.push(`${code} to the ${names[number]} message`);
  });
  return wrong;
}

function isOfHelper({ dialogue: { input: { settings } }, fault: { operation } }: At): boolean {
  return settings.helper === true && OF_HELPER.some((one) => one === operation);
}

// The replies to the message during which a fault happens, besides the usual one.
function allowedFor(at: At, usual: number): number[] {
  const { dialogue: { input: { settings } }, fault: { operation, kind } } = at;
  const isOfCheck = OF_SCANNERS.some((one) => one === operation) || isOfHelper(at);
  if (operation === "connect to scanner" && kind === "exhausted") return [451];
  // Strangers choose the host, so a host that cannot be looked up is no failure of the check.
  if (operation === "look up host") return [250];
  if (isOfCheck) return settings.twoServers ? [] : [settings.rejectUnsure ? 451 : 250];
  // A command that could not tell lets the message pass.
  if (settings.then && (operation === "spawn" || SPOOL.includes(operation))) return [...allowedCodes(at), 250];
  // A message that is refused stays refused, kept or not.
  if (OF_QUARANTINE.includes(operation)) return usual === 550 ? [] : [451];
  return allowedCodes(at);
}

function allowedCodes(at: At): number[] {
  const { dialogue: { input: { settings } }, fault: { operation, kind } } = at;
  if (operation === "connect") return [421];
  if (operation === "read downstream" || operation === "write downstream") return [421, 451, 221];
  if (SPOOL.includes(operation)) return [kind === "no-space" ? 452 : 451, 421, ...settings.quarantine ? [451] : []];
  if (isOfHelper(at)) return settings.rejectUnsure ? [451] : [];
  // An external checker that could not tell does not pass the message.
  if (operation === "spawn" && settings.extchk) return [451];
  if (operation === "unlink") return [451];
  if (operation === "wait") return [451];
  if (operation === "read client" || operation === "write client") return kind === "timeout" ? [421] : [];
  if (OF_QUARANTINE.includes(operation) || operation === "connect to scanner" && kind === "exhausted") return [451];
  if (OF_SCANNERS.some((one) => one === operation)) {
    return settings.rejectUnsure && !settings.twoServers ? [451] : [];
  }
  return [];
}

function ownReplies({ heard, mx }: Played): number[] {
  const scan = new ReplyScan();
  scan.push(heard);
  const theirs = new Set(mx?.scan.replies.map(({ text }) => text));
  const isTheirs = (text: string) => theirs.has(text) || text.startsWith("250-r") || text.startsWith("354 ");
  return scan.replies.filter(({ text }) => !isTheirs(text)).map(({ code }) => code);
}

// --- what the table tells

function codesOf(played: Played): number[] {
  const scan = new ReplyScan();
  scan.push(played.heard);
  const codes = scan.replies.map(({ code }) => code);
  return codes.flatMap((code, at) => code === 354 ? codes[at + 1] ?? [] : []);
}

// The reply to each message, or that there was none; and a 421 or a closed connection where the session ended early.
function clientHears(played: Played): string {
  const scan = new ReplyScan();
  scan.push(played.heard);
  const codes = scan.replies.map(({ code }) => code);
  const early = codes.at(-1) === 221 ? [] : codes.at(-1) === 421 ? ["421, closed"] : ["closed"];
  const messages = codes.flatMap((code, at) => code === 354 ? [codes[at + 1] ?? "no reply"] : []);
  const shown = messages.filter((code) => code !== 421).map(String);
  return [shown.join(", "), ...early].filter((part) => part !== "").join("; ");
}

function downstreamSees({ mx }: Played): string {
  if (!mx) return "no connection";
  const contents = mx.requests.filter(({ kind }) => kind === "content");
  const whole = contents.filter(({ whole }) => whole).length;
  const parts = contents.length - whole;
  const told = [`${whole} ${whole === 1 ? "message" : "messages"}`];
  if (parts > 0) told.push("a part of one");
  if (mx.requests.at(-2)?.text === "DATA\r\n" && mx.scan.replies.at(-1)?.code === 354) {
    told.push("DATA without content");
  }
  return told.join(", ");
}

// The lines that an administrator sees without -v, without id and fields; and the first field that says why.
function logHas(played: Played): string {
  const lines = played.log.lines.filter((line) => /^(?:error|warning): /.test(line));
  const words = lines.map((line) => line.replace(/^\w+: (?:[0-9a-f]{10}: )?/, "").replace(/ \w+=.*$/, ""));
  return [...new Set(words)].join("; ");
}
