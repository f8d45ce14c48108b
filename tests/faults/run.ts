// Plays one dialogue again and again, each time with one failure in it, and judges each.
//
// The dialogue has three messages: a small one that its filter passes, one that is too large for memory, and one that
// its filter replaces. It is also played without a filter, where a large message is a file without a name. The judge of
// the fuzz checks what no fault may change: no 2xx that downstream did not say, nothing delivered twice or in part,
// nothing left behind. This file checks the rest: the class of reply for each fault.

import type { IoErrorKind } from "../../lib/ports/io_error.ts";
import type { Input, Step } from "../fuzz/input.ts";
import { judge, standing } from "../fuzz/judge.ts";
import { ReplyScan } from "../rig/replies.ts";
import { type Played, playInput } from "../fuzz/world.ts";
import { settled } from "../fakes/settled.ts";
import { type Fault, Faulty, KINDS, type Operation, OPERATIONS } from "./faulty.ts";

export interface Dialogue {
  readonly name: string;
  readonly input: Input;
  readonly places: readonly string[];
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

function dialogue(name: string, filter: boolean, contents: Readonly<Record<string, string>>): Dialogue {
  const steps: Step[] = [{ do: "say", text: "EHLO client\r\n" }];
  const places = ["EHLO"];
  for (const [size, content] of Object.entries(contents)) {
    const parts = [`MAIL FROM:<${size}@client>\r\n`, "RCPT TO:<x@mx>\r\n", "DATA\r\n", `${content}.\r\n`];
    steps.push(...parts.map((text): Step => ({ do: "say", text })));
    places.push(...["MAIL", "RCPT", "DATA", "the content"].map((place) => `${size} message: ${place}`));
  }
  const filters = [{ exit: 0 }, { exit: 0 }, { exit: 0, outfile: "replaced\n" }];
  return { name, input: { settings: filter ? { filter } : {}, steps, mx: [], filters }, places };
}

export const DIALOGUES: readonly Dialogue[] = [
  dialogue("with a filter", true, { "small": "one\r\n", "large": LARGE, "replaced": "three\r\n" }),
  dialogue("without a filter", false, { "small": "one\r\n", "large": LARGE }),
];

/** Every fault there is in `dialogue`: each call of each operation that a run without faults makes, with each kind. */
export async function* everyFault(dialogue: Dialogue): AsyncGenerator<Fault> {
  const faultless = new Faulty();
  const { complaints } = judge(await playWith(dialogue, faultless));
  if (complaints.length > 0) throw new Error(`without a fault: ${complaints.join("; ")}`);
  for (const operation of OPERATIONS) {
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
      ...wrongClass(played, fault),
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

// Every reply that is no downstream's own, by the operation that failed.
function wrongClass(played: Played, { operation, kind }: Fault): string[] {
  const own = ownReplies(played);
  const allowed = allowedCodes(operation, kind);
  return own.filter((code) => !allowed.includes(code)).map((code) =>
    `${code} where ${allowed.join(" or ") || "no reply"} belongs`
  );
}

function allowedCodes(operation: Operation, kind: IoErrorKind): number[] {
  if (operation === "connect") return [421];
  if (operation === "read downstream" || operation === "write downstream") return [421, 451, 221];
  if (SPOOL.includes(operation)) return [kind === "no-space" ? 452 : 451, 421];
  if (operation === "unlink") return [451];
  if (operation === "wait") return [451];
  if (operation === "read client" || operation === "write client") return kind === "timeout" ? [421] : [];
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
  const words = lines.map((line) => line.replace(/^\w+: [0-9a-f]{10}: /, "").replace(/ \w+=.*$/, ""));
  return [...new Set(words)].join("; ");
}
