// Decides whether postprox kept its promises in what was played.
//
// The judge reads the client's octets again, in its own way. It follows what the client heard, and what downstream
// heard and said. Each command of the client has one reply, in order. It reached downstream octet by octet, or was
// refused for a reason. Each message had its verdict first. The program may leave that path only with an excuse
// (`excuseOf`): a side left, spoke out of turn, or was too slow.
//
// Sometimes nobody outside can know what the program saw: whether a bare LF and a pause ended a line, or whose a NOOP
// is. Then the judge tries both. It shares no code with the program, only the texts of the program's own replies.

import { OWN_REPLIES } from "../../lib/session/own_replies.ts";
import { fooled, guarded, slowDecode, slowEncode } from "../smtp/dot_reference.ts";
import { spelled } from "../rig/octets.ts";
import { type HeardReply, ReplyScan } from "../rig/replies.ts";
import { LISTED_CLIENT } from "./checks.ts";
import { looksAt, onTop } from "./looks.ts";
import type { Settings } from "./input.ts";
import type { TimedRequest } from "./mx.ts";
import { type FilterRun, LIMITS, type Moment, type Played, type Standing } from "./world.ts";

export interface Judgement {
  /** Why it is wrong; empty when it is right. */
  readonly complaints: readonly string[];
  /** Features on the way, for the search for new ground. */
  readonly features: readonly string[];
}

type Phase = "idle" | "mail" | "rcpt";

interface State {
  /** The next places: in the client's octets, in its replies, in downstream's requests, in the filters. */
  readonly at: number;
  readonly heard: number;
  readonly asked: number;
  readonly filter: number;
  /** Messages that checks were asked about. */
  readonly judged: number;
  /** Messages of which the quarantine has a copy: that it must have, or may have. */
  readonly kept: readonly Keep[];
  readonly mode: "command" | "content" | "auth";
  readonly phase: Phase;
  readonly recipients: number;
  /** REMOTEIP as XFORWARD told it; undefined where the judge could not read that. */
  readonly remoteIp: string | undefined;
  /** Whether the rules file asks for the checks that only it may ask for. "all": it has not ruled about a recipient. */
  readonly asks: "all" | "asked" | "none" | "maybe";
  readonly refusals: number;
  /** A message was not taken, so that the transaction downstream has to be dropped. */
  readonly resetDue: boolean;
  /** No reply comes after this. */
  readonly over: boolean;
  /** Nothing more may be said downstream. */
  readonly lost: boolean;
  /** Messages whose final dot was out while the client heard of no outcome. */
  readonly unknown: number;
  /** Messages that were delivered, and whose client may not have heard so because it was gone or silent. */
  readonly unheard: number;
  readonly features: Chain | undefined;
}

type Program = FilterRun["of"];

/** A message on its way through the programs. */
interface Course {
  /** As it came, and as the steps so far left it. */
  readonly spool: string;
  readonly email: string;
  readonly lineEnds: "lf" | "lf-or-crlf";
  /** How many of its lines ended with CR LF before the programs. */
  readonly crLines: number;
  /** A check could not tell, and so it must not pass. */
  readonly isDoubtful: boolean;
  readonly left: readonly Program[];
  /** What the last program did. */
  readonly before: FilterRun | undefined;
  readonly why: string;
  readonly recipients: number;
  readonly remoteIp: string | undefined;
  /** The final dot, on the clock. */
  readonly start: number;
}

interface Keep {
  readonly email: string;
  readonly must: boolean;
}

interface Chain {
  readonly feature: string;
  readonly before: Chain | undefined;
}

const OWN: ReadonlyMap<string, string> = new Map(
  [
    ...Object.entries(OWN_REPLIES),
    ["notChecked", { bytes: octetsOf("451 4.3.0 Message could not be checked, try again later\r\n") }] as const,
  ]
    .map(([name, { bytes }]) => [spelled(bytes), name]),
);

const HIDDEN = new Set(["LHLO", "STARTTLS", "BURL", "XCLIENT", "XEXCH50", "BDAT"]);
const HIDDEN_KEYWORDS = new Set(["STARTTLS", "CHUNKING", "BINARYMIME", "BURL", "CHECKPOINT", "XEXCH50", "XCLIENT"]);
const LINE_LIMIT = 2048;
const AUTH_LINE_LIMIT = 12288;
const ERROR_LIMIT = 100;

// CONTRACT, a client that leaves: how long one that ended is still given replies, unless it sent a QUIT after it.
const OWED = 3000;
// A filter that ignores SIGTERM is killed a second later.
const LEAVING = OWED + 2000;
const QUIT_LINE = /(?:^|\n)[\t\v\f\r ]*QUIT(?:[\t\v\f\r ][^\n]*)?\r\n/i;

// A client that goes on with less than this after its message cannot fill the buffer in which its leaving is noticed.
const AHEAD = 8192;

// Checks have so much of the time for a message. The rest is for its delivery.
const CHECKS_TIME = 0.8 * LIMITS.message;

export function judge(played: Played): Judgement {
  const complaints = [...played.complaints, ...played.mx?.violations ?? []];
  for (const path of played.leftover) complaints.push(`left in the spool: ${path}`);
  if (isHeld(played)) complaints.push("the session goes on although its client has left");
  const walk = new Walk(played);
  const end = walk.walk();
  if (walk.failure) complaints.push(walk.failure);
  if (played.mx?.unfinished) complaints.push(`downstream heard half a line: ${show(played.mx.unfinished)}`);
  const features = [];
  for (let link = end?.features; link; link = link.before) features.push(link.feature);
  return { complaints, features: features.reverse() };
}

/** Where the client's dialogue stands after what was played so far, or undefined where no reply will come any more. */
export function standing(played: Played): Standing {
  const walk = new Walk(played);
  const state = walk.walk();
  if (!state || state.over) return undefined;
  return { mode: state.mode, pending: state.at < played.sent.length };
}

class Walk {
  readonly #played: Played;
  readonly #heard: readonly HeardReply[];
  readonly #requests: readonly TimedRequest[];
  readonly #excuse: boolean;
  /** The client may have heard less than it was told. */
  readonly #deaf: boolean;
  #deepest = -1;
  failure = "";

  constructor(played: Played) {
    this.#played = played;
    const scan = new ReplyScan();
    scan.push(played.heard);
    if (scan.bad !== undefined) this.failure = `the client hears no reply: ${show(played.heard.slice(scan.bad))}`;
    this.#heard = scan.replies;
    this.#requests = played.mx?.requests ?? [];
    this.#deaf = played.left === "cut" || played.stalled || played.fault === "client";
    this.#excuse = isExcused(played);
  }

  /** Walks all the way; undefined when there is none. */
  walk(): State | undefined {
    if (this.failure) return undefined;
    const start = this.#greeting();
    const open = start ? [start] : [];
    const seen = new Set<string>();
    for (let state = open.pop(); state; state = open.pop()) {
      const { at, heard, asked, filter, mode, phase, over, lost, unknown, unheard, resetDue, judged, kept } = state;
      const kept_ = kept.map(({ must }) => must ? "!" : "?").join("");
      const key = [at, heard, asked, filter, mode, phase, over, lost, unknown, unheard, resetDue, judged, kept_]
        .concat(state.asks).join(" ");
      if (seen.has(key)) continue;
      seen.add(key);
      const ends = this.#next(state, open);
      if (ends) {
        this.failure = "";
        return ends;
      }
    }
    this.failure ||= "no way through the dialogue";
    return undefined;
  }

  #fail(state: State, why: string): undefined {
    const depth = state.at + state.heard + state.asked;
    if (depth <= this.#deepest) return;
    this.#deepest = depth;
    const where = `${state.mode}, ${state.phase}, at ${show(this.#played.sent.slice(state.at, state.at + 60))}`;
    this.failure = `${why} (${where}; heard ${show(this.#heard[state.heard]?.text ?? "nothing")}; asked ${
      show(this.#requests[state.asked]?.text.slice(0, 60) ?? "nothing")
    })`;
  }

  #greeting(): State | undefined {
    const state: State = {
      at: 0,
      heard: 1,
      asked: 1,
      filter: 0,
      judged: 0,
      kept: [],
      mode: "command",
      phase: "idle",
      recipients: 0,
      remoteIp: "",
      asks: "all",
      refusals: 0,
      resetDue: false,
      over: false,
      lost: false,
      unknown: 0,
      unheard: 0,
      features: undefined,
    };
    const greeting = this.#reply(0);
    const heard = this.#heard[0];
    if (greeting && heard?.text === greeting.text) {
      return note({ ...state, over: greeting.code === 421 }, `greeting ${greeting.code}`);
    }
    if (greeting && !heard && this.#deaf) return note({ ...state, heard: 0 }, "greeting unheard");
    if (!heard && (this.#deaf || this.#excuse || !this.#played.end)) {
      return note({ ...state, heard: 0, over: true, lost: true }, "no greeting");
    }
    if (heard && isOwn(heard, 421) && this.#excuse) return note({ ...state, over: true, lost: true }, "own greeting");
    return this.#fail({ ...state, heard: 0, asked: 0 }, "the greeting");
  }

  // Pushes what may follow `state`, or gives it back when it is a good end.
  #next(state: State, open: State[]): State | undefined {
    if (state.over) return this.#end(state);
    const before = open.length;
    // The last resort, so it is tried last.
    const farewell = this.#heard[state.heard];
    if (farewell && state.heard === this.#heard.length - 1 && (isOwn(farewell, 421) || this.#isUnasked421(farewell))) {
      if (this.#excuse || state.lost || state.refusals > ERROR_LIMIT) {
        open.push(note({ ...state, heard: state.heard + 1, over: true }, `421 in ${state.mode}`));
      } else this.#fail(state, "421 without a cause");
    }
    if (this.#isOwnRequest(state)) open.push(this.#ownRequest(state));
    if (state.mode === "content") this.#content(state, open);
    else this.#line(state, open);
    if (open.length === before) return this.#end(state);
    // An end too, for a client that left: nobody knows how much of what it said was read.
    if (this.#deaf && state.heard === this.#heard.length && state.asked === this.#requests.length) {
      return this.#end(state);
    }
    return undefined;
  }

  // CONTRACT, downstream speaks unasked: in its own right, or in reply to a word of ours.
  #isUnasked421({ text }: HeardReply): boolean {
    const replies = this.#played.mx?.scan.replies ?? [];
    const isOurs = (at: number) => /^(?:NOOP|RSET)\r\n$/.test(this.#requests[at]?.text ?? "NOOP\r\n");
    return replies.some((reply, at) => reply.code === 421 && reply.text === text && isOurs(at));
  }

  // --- the end

  #end(state: State): State | undefined {
    const played = this.#played;
    let { asked } = state;
    let { resetDue } = state;
    for (; asked < this.#requests.length; asked++) {
      const request = this.#requests[asked]!;
      if (request.text === "RSET\r\n" && resetDue) resetDue = false;
      else if (request.text === "NOOP\r\n" && this.#isIdle(asked)) continue;
      else if (request.text === "QUIT\r\n" && asked === this.#requests.length - 1) continue;
      else return this.#fail({ ...state, asked }, "downstream hears more than the client said");
    }
    if (state.heard < this.#heard.length) return this.#fail(state, "the client hears more than it asked for");
    const isWhole = state.mode === "content"
      ? slowDecode(played.sent.slice(state.at)) !== undefined
      : played.sent.indexOf("\r\n", state.at) !== -1;
    const mustAnswer = played.end !== undefined || (!this.#excuse && !this.#deaf);
    if (isWhole && !state.over && !this.#deaf && !this.#mayBeGone(state) && mustAnswer) {
      return this.#fail(state, "a command without a reply");
    }
    if (played.end !== undefined && !played.left && !state.over && !this.#deaf) {
      return this.#fail(state, "closed without a word");
    }
    const wrongKept = played.end === undefined ? undefined : this.#wrongKept(state);
    if (wrongKept) return this.#fail(state, wrongKept);
    const lines = played.log.find("possible duplicate").length;
    if (lines < state.unknown) return this.#fail(state, `${state.unknown} unknown outcomes, ${lines} in the log`);
    // A final dot that could not be written may still have got out.
    const perhaps = played.fault === undefined ? 0 : 1;
    if (lines > state.unknown + state.unheard + perhaps) {
      return this.#fail(state, `${lines} possible duplicates in the log, ${state.unknown}+${state.unheard} known`);
    }
    const mustTake = played.probedAt !== undefined && played.end !== undefined && state.refusals <= ERROR_LIMIT;
    if (mustTake && !this.#excuse && !state.lost && !this.#probeTaken()) {
      return this.#fail(state, "the probe was not delivered");
    }
    return note(state, state.over ? "over" : `end in ${state.mode} ${state.phase} ${played.left ?? ""}`);
  }

  #probeTaken(): boolean {
    const content = this.#requests.filter(({ kind }) => kind === "content").at(-1);
    return content?.text.endsWith("probe\r\n..\r\n.\r\n") || this.#played.input.settings.maxMessageSize !== undefined;
  }

  // --- our own words downstream

  #isOwnRequest(state: State): boolean {
    const request = this.#requests[state.asked];
    if (!request || request.kind !== "command") return false;
    if (request.text === "RSET\r\n") return state.resetDue;
    return request.text === "NOOP\r\n" && this.#isIdle(state.asked);
  }

  #isIdle(asked: number): boolean {
    const before = this.#requests[asked - 1]!;
    return this.#requests[asked]!.time - (before.replied ?? before.time) >=
      (this.#played.input.settings.keepalive ?? 60_000);
  }

  #ownRequest(state: State): State {
    const verb = this.#requests[state.asked]!.text.trim();
    const reply = this.#reply(state.asked);
    const lost = !reply || (verb === "RSET" ? kindOf(reply) !== 2 : reply.code === 421);
    return note(
      { ...state, asked: state.asked + 1, resetDue: state.resetDue && verb !== "RSET", lost: state.lost || lost },
      `own ${verb} ${reply?.code} in ${state.mode} ${state.phase}`,
    );
  }

  // --- lines

  #line(state: State, open: State[]): void {
    const { sent, pauses, left } = this.#played;
    const crlf = sent.indexOf("\r\n", state.at);
    const end = crlf === -1 ? sent.length : crlf;
    // A bare LF that nothing follows for a while ends a line as well, if the program waited just then.
    for (const pause of left ? [...pauses, sent.length] : pauses) {
      if (pause <= state.at || pause > end || sent[pause - 1] !== "\n") continue;
      this.#refused({ ...state, at: pause }, "bare LF", open);
    }
    if (crlf === -1) return;
    const raw = sent.slice(state.at, crlf + 2);
    const after = { ...state, at: crlf + 2 };
    if (state.mode === "auth") return this.#authLine(after, raw, open);
    return this.#command(after, raw, open);
  }

  #command(state: State, raw: string, open: State[]): void {
    const line = raw.slice(0, -2);
    const parts = /^[\t-\r ]*([^\t-\r ]*)([^]*)$/.exec(line)!;
    const verb = parts[1]!.replace(/[a-z]/g, (letter) => letter.toUpperCase());
    if (raw.length > AUTH_LINE_LIMIT) return this.#refused(state, "too long", open);
    if (/[\r\n\0]/.test(line)) return this.#refused(state, "spoilt", open);
    if (verb !== "AUTH" && raw.length > LINE_LIMIT) return this.#refused(state, "too long", open);
    if (HIDDEN.has(verb)) return this.#refused(state, verb, open);
    if (verb === "DATA") return this.#data(state, parts[2]!, open);
    if (verb === "MAIL" && this.#isTooLarge(parts[2]!)) return this.#own(state, 552, "SIZE", open);
    if (this.#isRestricted(state, { raw, verb }, open)) return;
    this.#relayed(state, { raw, verb }, open);
  }

  // Whether it is certain that a restriction refuses the sender or the recipient. Downstream does not hear of it then.
  #isRestricted(state: State, { raw, verb }: { raw: string; verb: string }, open: State[]): boolean {
    const { settings: { restricts, dryRun, bypass } } = this.#played.input;
    const isAsked = verb === "MAIL" || (verb === "RCPT" && state.phase !== "idle");
    if (!restricts || dryRun || !isAsked || (bypass && state.remoteIp === LISTED_CLIENT)) return false;
    const ruled = verb === "MAIL" ? ofSender(raw) : ofRecipient(raw, state.remoteIp);
    const { codes } = ruled;
    const isSure = ruled.isSure && !(bypass && state.remoteIp === undefined);
    const heard = this.#heard[state.heard];
    const isRefusal = heard !== undefined && codes.includes(heard.code) && !/^\d+[ -]r\d/.test(heard.text);
    if (isRefusal) open.push(note({ ...state, heard: state.heard + 1 }, `restricted ${verb} ${heard.code}`));
    else if (!heard && codes.length > 0 && (this.#deaf || this.#mayBeGone(state))) {
      open.push(note({ ...state, over: true }, `restricted ${verb} unheard`));
      // What was sent behind it may still have been read.
      open.push(note(state, `restricted ${verb} unheard`));
    } else if (isSure && codes.length > 0) this.#fail(state, `${codes.join(" or ")} expected from a rule`);
    return isSure && codes.length > 0;
  }

  #isTooLarge(argument: string): boolean {
    const { maxMessageSize } = this.#played.input.settings;
    const size = /^\s*FROM\s*:\s*(?:<[^>"\\]*>(?=\s|$|[A-Z0-9-]+=)|[^<\s]\S*)(?:.*\s)?SIZE=(\S+)(?:\s|$)/i.exec(
      argument,
    )?.[1];
    return maxMessageSize !== undefined && Number(size ?? 0) > maxMessageSize;
  }

  #data(state: State, argument: string, open: State[]): void {
    if (argument.trim() !== "") return this.#refused(state, "DATA argument", open);
    if (state.phase !== "rcpt") return this.#refused(state, `DATA in ${state.phase}`, open);
    const heard = this.#heard[state.heard];
    if (heard ? heard.code === 354 && isOwn(heard, 354) : this.#deaf) {
      open.push(note({ ...state, heard: state.heard + (heard ? 1 : 0), mode: "content" }, "DATA"));
    } else this.#fail(state, "no 354");
  }

  // Not relayed, and one of a hundred that a session may have.
  #refused(state: State, why: string, open: State[]): void {
    const refusals = state.refusals + 1;
    const codes: Record<string, number> = { "DATA argument": 501, "DATA in idle": 503, "DATA in mail": 554 };
    const code = codes[why] ?? (HIDDEN.has(why) ? 502 : 500);
    const mode = "command";
    if (state.mode === "auth") {
      // The exchange downstream is cancelled first.
      const request = this.#requests[state.asked];
      if (request?.text !== "*\r\n") {
        if (!this.#excuse) this.#fail(state, "AUTH goes on");
        else open.push({ ...state, refusals: ERROR_LIMIT + 1 });
        return;
      }
      const reply = this.#reply(state.asked);
      const next = {
        ...state,
        refusals,
        mode,
        asked: state.asked + 1,
        lost: state.lost || kindOf(reply) === 3,
      } as const;
      if (!reply || this.#excuse || refusals > ERROR_LIMIT) open.push(next);
      if (reply && refusals <= ERROR_LIMIT) this.#own(next, code, why, open);
      return;
    }
    if (refusals > ERROR_LIMIT) return void open.push({ ...state, refusals });
    this.#own({ ...state, refusals, mode, over: why === "BDAT" }, code, why, open);
  }

  #own(state: State, code: number, why: string, open: State[]): void {
    const heard = this.#heard[state.heard];
    if (heard ? isOwn(heard, code) : this.#deaf) {
      open.push(note({ ...state, heard: state.heard + (heard ? 1 : 0) }, `refused ${why} in ${state.phase}`));
    } else this.#fail(state, `${code} expected for ${why}`);
  }

  #relayed(state: State, { raw, verb }: { raw: string; verb: string }, open: State[]): void {
    const heard = this.#heard[state.heard];
    if (this.#requests[state.asked]?.text !== raw) {
      // Downstream is lost: a QUIT has our own reply, anything else a 421, which `#next` knows of.
      if (verb === "QUIT" && heard && isOwn(heard, 221) && (this.#excuse || state.lost)) {
        open.push(note({ ...state, heard: state.heard + 1, over: true }, "own QUIT"));
      } else if (!heard && this.#mayBeGone(state)) open.push(note({ ...state, over: true }, "given up"));
      else this.#fail(state, "a command that downstream does not hear");
      return;
    }
    if (state.resetDue) return this.#fail(state, "no RSET after a message that was not taken");
    if (state.lost) return this.#fail(state, "downstream is spoken to after it was lost");
    const reply = this.#reply(state.asked);
    const asked = { ...state, asked: state.asked + 1 };
    if (verb === "QUIT" && heard && isOwn(heard, 221)) {
      if (this.#excuse) open.push(note({ ...asked, heard: state.heard + 1, over: true }, "own QUIT after it was said"));
      return;
    }
    if (!heard && this.#deaf) {
      open.push(note({ ...asked, over: true }, `${verb} unheard`));
      if (reply && isForClient(verb, reply)) open.push(this.#learn(asked, { verb, raw }, reply));
      return;
    }
    if (!heard && this.#mayBeGone(state) && this.#isGivenUp(state.asked)) {
      return void open.push(note({ ...asked, over: true }, `${verb} given up`));
    }
    if (!reply || !isForClient(verb, reply) || isOwn(heard, 421)) {
      if (heard && isOwn(heard, 421) && (this.#excuse || state.refusals > ERROR_LIMIT)) {
        open.push(note({ ...asked, heard: state.heard + 1, over: true, lost: true }, `${state.phase} ${verb} lost`));
      } else if (!heard && !this.#played.end) open.push({ ...asked, over: true });
      else this.#fail(state, `no reply to ${verb} that can be relayed`);
      return;
    }
    const expected = verb === "EHLO" && reply.code === 250 ? this.#ehlo(reply.text) : reply.text;
    if (heard?.text !== expected) return this.#fail(state, `${show(expected)} expected`);
    const quits = verb === "QUIT" && reply.code < 300;
    open.push(
      this.#learn({ ...asked, heard: state.heard + 1, over: quits || reply.code === 421 }, { verb, raw }, reply),
    );
  }

  #learn(state: State, command: { verb: string; raw: string }, reply: HeardReply): State {
    return learn(state, { ...command, settings: this.#played.input.settings }, reply);
  }

  #ehlo(text: string): string {
    const { maxMessageSize } = this.#played.input.settings;
    const [greeting = "", ...rest] = text.slice(0, -2).split("\r\n").map((line) => line.slice(4));
    const word = (line: string) => line.trim().split(/[\s=]/)[0]!.toUpperCase();
    const kept = rest.filter((line) => !HIDDEN_KEYWORDS.has(word(line)));
    if (maxMessageSize !== undefined) {
      const at = kept.findIndex((line) => word(line) === "SIZE");
      const size = Number(kept[at]?.trim().split(/\s+/)[1] ?? 0);
      if (at === -1) kept.push(`SIZE ${maxMessageSize}`);
      else if (!(size > 0 && size <= maxMessageSize)) kept[at] = `SIZE ${maxMessageSize}`;
    }
    if (kept.join("\n") === rest.join("\n")) return text;
    return [greeting, ...kept].map((line, at) => `250${at < kept.length ? "-" : " "}${line}\r\n`).join("");
  }

  #authLine(state: State, raw: string, open: State[]): void {
    const line = raw.slice(0, -2);
    if (raw.length > AUTH_LINE_LIMIT) return this.#refused(state, "too long", open);
    if (/[\r\n\0]/.test(line)) return this.#refused(state, "spoilt", open);
    if (this.#requests[state.asked]?.text !== raw) {
      return this.#fail(state, "a line of AUTH that downstream does not hear");
    }
    const reply = this.#reply(state.asked);
    const heard = this.#heard[state.heard];
    const asked = { ...state, asked: state.asked + 1 };
    if (!heard && this.#mayBeGone(state) && this.#isGivenUp(state.asked)) {
      open.push({ ...asked, over: true });
    } else if (!heard && this.#deaf) {
      open.push({ ...asked, over: true });
      if (reply) open.push({ ...asked, mode: reply.code === 334 ? "auth" : "command" });
    } else if (!reply || heard?.text !== reply.text) {
      if (heard && isOwn(heard, 421) && this.#excuse) {
        open.push({ ...asked, heard: state.heard + 1, over: true, lost: true });
      } else this.#fail(state, "no reply in AUTH that can be relayed");
    } else {
      const mode = reply.code === 334 ? "auth" : "command";
      open.push(note({ ...asked, heard: state.heard + 1, mode, over: reply.code === 421 }, `AUTH line ${reply.code}`));
    }
  }

  // --- a message

  #content(state: State, open: State[]): void {
    const { sent, input: { settings } } = this.#played;
    const decoded = slowDecode(sent.slice(state.at));
    if (!decoded) return;
    const end = sent.length - decoded.rest.length;
    const after: State = {
      ...state,
      at: end,
      mode: "command",
      phase: "idle",
      recipients: 0,
      remoteIp: "",
      asks: "all",
    };
    if (this.#isLate(state, end)) return this.#fail(state, "the reply to a message comes too late");
    const spool = guarded(decoded.spool);
    if (settings.maxMessageSize !== undefined && decoded.size > settings.maxMessageSize) {
      return this.#refusedMessage(after, 552, "too large", open);
    }
    if (settings.rejectBareNewline && decoded.bareNewline) {
      return this.#refusedMessage(after, 550, "bare newline", open);
    }
    if (this.#played.fault === "other") this.#spoolFailed(after, open);
    // Only postprox may write these fields: they are gone before anybody looks.
    const email = settings.action === "tag" && !settings.dryRun ? retagged(spool, "") : spool;
    const { fault, stalled } = this.#played;
    const mayBeKept = settings.quarantine && this.#excuse ? [{ email: spool, must: false }] : [];
    const message: State = { ...after, judged: state.judged + 1, kept: [...state.kept, ...mayBeKept] };
    const { recipients, remoteIp, asks } = state;
    const start = this.#dotTime(state, end);
    const course = {
      spool,
      recipients,
      remoteIp,
      start,
      lineEnds: "lf",
      isDoubtful: false,
      before: undefined,
    } as const;
    // Whether the client is one of those that are not checked.
    if (settings.bypass && (remoteIp === undefined || remoteIp === LISTED_CLIENT)) {
      this.#programs(message, { ...course, email, crLines: 0, left: [], why: "bypass" }, open);
      if (remoteIp !== undefined) return;
    }
    const parts = { played: this.#played, message: message.judged, isExcused: this.#excuse };
    for (const isAsked of asks === "maybe" ? [true, false] : [asks !== "none"]) {
      for (const looked of looksAt(email, { ...parts, isAsked })) {
        if (looked.kind === "wrong") this.#fail(state, looked.why);
        else if (looked.kind === "seen") {
          const { email, isDoubtful } = looked;
          const left = programsOf(settings, isAsked);
          const crLines = crLinesIn(email);
          this.#programs(message, { ...course, email, isDoubtful, crLines, left, why: "unfiltered" }, open);
        } else {
          if (this.#excuse) this.#unheardMessage(message, "caught unheard", open);
          for (const code of looked.codes) this.#caughtMessage(message, { spool, code, why: `check ${code}` }, open);
        }
      }
    }
    if (fault || (settings.scanners && stalled)) this.#refusedMessage(message, 451, "checks cut short", open);
  }

  // The programs look at the message, one after another, and then it passes.
  #programs(state: State, course: Course, open: State[]): void {
    const [program, ...left] = course.left;
    if (this.#played.fault === "other") this.#spoolFailed(state, open);
    if (!program) return this.#passes(state, course, open);
    const { input: { settings }, filters, fault, stalled, helperFailures } = this.#played;
    const { email, recipients, remoteIp, before } = course;
    // A client that took no reply for long has left no time for it.
    if (stalled) this.#refusedMessage(state, 451, "no time for the filter", open);
    const isFailing = onErrorOf(program, settings) === "tempfail" && !settings.dryRun;
    const unsure = { ...course, left, isDoubtful: course.isDoubtful || isFailing };
    // The programs before it may have left none either.
    if (isLate(before, course.start)) this.#programs(state, { ...unsure, why: "no time for the filter" }, open);
    // Helpers that failed again and again rest for a while. Then nobody looks at the message.
    if (program === "helper" && (helperFailures > 1 || fault)) {
      this.#programs(state, { ...unsure, why: "no helper" }, open);
    }
    const run = filters[state.filter];
    if (!run || run.of !== program) {
      // Nobody waits for the verdict.
      if (this.#excuse) this.#unheardMessage(state, "no filter", open);
      else this.#fail(state, `no ${program} looks at the message`);
      return;
    }
    const judged = { ...state, filter: state.filter + 1 };
    if (run.email !== email) return this.#fail(state, `the ${program} sees ${show(run.email)}, not ${show(email)}`);
    if (Number(run.recipients) !== recipients) {
      return this.#fail(state, `the ${program} hears of ${run.recipients} recipients, not ${recipients}`);
    }
    // An external checker is told of our own peer, too.
    const isKnown = remoteIp !== undefined && (program !== "extchk" || remoteIp !== "");
    if (isKnown && run.remoteIp !== remoteIp) {
      return this.#fail(state, `the ${program} hears of the client ${show(run.remoteIp)}, not ${show(remoteIp)}`);
    }
    const verdict = settledOf(verdictOf(run, settings), settings);
    if (this.#excuse) this.#unheardMessage(judged, `${program} ${verdict.kind} unheard`, open);
    const seen = { ...course, left, before: run };
    switch (verdict.kind) {
      case "refuse":
        return this.#caughtMessage(judged, {
          spool: course.spool,
          code: verdict.code,
          why: `${program} ${verdict.code}`,
        }, open);
      case "spoilt":
        if (settings.dryRun) return this.#programs(judged, seen, open);
        return this.#refusedMessage(judged, 451, "EMAIL changed", open);
      case "unsure":
        return this.#programs(judged, { ...unsure, before: run, why: "unsure" }, open);
    }
    const { version, isTagged, why } = verdict;
    if (isTagged) {
      const next = filters[judged.filter]?.email;
      const texts = new Set([next, this.#requests[state.asked + 1]?.text].map((text) => tagIn(text ?? "", program)));
      for (const tag of texts) this.#programs(judged, { ...seen, email: onTop(email, tag), why }, open);
      return;
    }
    // Nobody could look whether OUTFILE holds anything. Or a helper's answer was lost.
    if (fault === "other" && (version !== undefined || program === "helper")) {
      this.#programs(judged, { ...unsure, before: run, why: "unsure" }, open);
    }
    if (version === undefined) return this.#programs(judged, { ...seen, why }, open);
    const lineEnds = lineEndsOf(version, course.crLines);
    this.#programs(judged, { ...seen, email: version, lineEnds, why }, open);
  }

  // No check has refused the message.
  #passes(state: State, { email, lineEnds, spool, isDoubtful, before, why, start }: Course, open: State[]): void {
    if (isDoubtful) {
      if (this.#excuse) this.#unheardMessage(state, "doubt unheard", open);
      return this.#refusedMessage(state, 451, "doubt", open);
    }
    const wire = this.#played.input.settings.dryRun ? slowEncode(spool, "lf") : slowEncode(email, lineEnds);
    const run = before ? { run: before } : {};
    this.#deliver(state, { wire, verdict: why, ...run, isLate: isLate(before, start) }, open);
  }

  // CONTRACT section 5: the quarantine has what a check refused for good, and must have what was discarded.
  #caughtMessage(
    state: State,
    { spool, code, why }: { spool: string; code: number; why: string },
    open: State[],
  ): void {
    const { settings: { quarantine, dryRun } } = this.#played.input;
    const kept = quarantine && !dryRun && Math.floor(code / 100) !== 4
      ? [{ email: spool, must: code < 300 || !this.#excuse }]
      : [];
    // One that may be kept is this one.
    const before = this.#excuse && kept.length > 0 ? state.kept.slice(0, -1) : state.kept;
    this.#refusedMessage({ ...state, kept: [...before, ...kept] }, code, why, open);
  }

  #wrongKept(state: State): string | undefined {
    const left = [...state.kept];
    for (const { email, size } of this.#played.kept) {
      const isThis = (keep: Keep) => keep.email === email;
      const must = left.findIndex((keep) => keep.must && isThis(keep));
      const at = must === -1 ? left.findIndex(isThis) : must;
      if (at === -1) return `the quarantine has ${show(email)}`;
      if (size !== email.length) return `the quarantine's record has a size of ${size}, not ${email.length}`;
      left.splice(at, 1);
    }
    const lost = left.find(({ must }) => must);
    return lost && `the quarantine has no copy of ${show(lost.email)}`;
  }

  // CONTRACT, time limits: from the final dot, which ends at `end`, or from our 354 where that came later.
  #isLate(state: State, end: number): boolean {
    const { heardTimes, stalled } = this.#played;
    const [before, reply] = [this.#heard[state.heard - 1], this.#heard[state.heard]];
    if (!before || !reply || stalled) return false;
    return timeAt(heardTimes, reply.end) - this.#dotTime(state, end) > LIMITS.message;
  }

  #dotTime(state: State, end: number): number {
    const { saidTimes, heardTimes } = this.#played;
    const before = this.#heard[state.heard - 1];
    const said = timeAt(saidTimes, end);
    return before ? Math.max(said, timeAt(heardTimes, before.end)) : said;
  }

  #refusedMessage(state: State, code: number, why: string, open: State[]): void {
    const heard = this.#heard[state.heard];
    if (heard ? heard.code === code && !/^\d+[ -]r\d/.test(heard.text) : this.#deaf) {
      if (heard && !/^[ -~]{4,510}\r\n$/.test(heard.text)) this.#fail(state, `an ugly reply ${show(heard.text)}`);
      const over = heard?.code === 421;
      const next = { ...state, heard: state.heard + (heard ? 1 : 0), resetDue: !state.lost, over };
      open.push(note(next, `message refused: ${why}`));
    } else this.#fail(state, `${code} expected for a message: ${why}`);
  }

  // The client left, or time is up: no verdict is heard of, and downstream hears no DATA.
  #unheardMessage(state: State, why: string, open: State[]): void {
    const heard = this.#heard[state.heard];
    if (!heard) open.push(note({ ...state, over: true, resetDue: true }, why));
    else if (isOwn(heard, 451)) open.push(note({ ...state, heard: state.heard + 1, resetDue: true }, `${why} 451`));
    else if (isOwn(heard, 421) && this.#played.fault === "client") {
      open.push(note({ ...state, heard: state.heard + 1, resetDue: true, over: true }, `${why} 421`));
    }
  }

  #spoolFailed(state: State, open: State[]): void {
    const heard = this.#heard[state.heard];
    if (heard && (isOwn(heard, 451) || isOwn(heard, 452))) {
      open.push(note({ ...state, heard: state.heard + 1, resetDue: true }, "spool failed"));
    }
  }

  #deliver(
    state: State,
    { wire, verdict, run, isLate }: { wire: string; verdict: string; run?: FilterRun; isLate: boolean },
    open: State[],
  ): void {
    const request = this.#requests[state.asked];
    const heard = this.#heard[state.heard];
    const failed = (next: State, why: string, excused = this.#excuse) => {
      const known = heard && isOwn(heard, 451);
      if (!excused) this.#fail(state, `not delivered: ${why}`);
      else if (known || !heard) {
        const over = !heard;
        open.push(note({ ...next, heard: next.heard + (known ? 1 : 0), over }, `${verdict}: ${why} ${heard?.code}`));
      } else if (isOwn(heard, 421)) {
        open.push(note({ ...next, over: true, heard: next.heard + 1 }, `${verdict}: ${why} 421`));
      } else this.#fail(state, `not delivered: ${why}`);
    };
    if (request?.text !== "DATA\r\n") {
      // The filters had all the time there was.
      if (isLate) return failed({ ...state, lost: true }, "no time left", true);
      return failed({ ...state, resetDue: true }, "no DATA", this.#excuse || state.lost);
    }
    if (state.resetDue) return this.#fail(state, "no RSET before another message");
    if (run && (run.endStamp === undefined || request.stamp < run.endStamp)) {
      return this.#fail(state, "DATA before the verdict");
    }
    const dataReply = this.#reply(state.asked);
    const sentData = { ...state, asked: state.asked + 1 };
    // Our own NOOP may have kept it waiting; then no content follows.
    const waited = /^(?:NOOP|RSET)\r\n$/.test(this.#requests[state.asked - 1]?.text ?? "");
    if (!waited && this.#isGone(state, request.stamp)) return this.#fail(state, "DATA though the client is gone");
    const kind = kindOf(dataReply);
    if (!dataReply || kind === 2 || (kind === 3 && dataReply.code !== 354)) {
      return failed({ ...sentData, lost: true }, `DATA ${dataReply?.code}`);
    }
    if (kind !== 3) {
      if (heard?.text === dataReply.text || (!heard && this.#deaf)) {
        const next = {
          ...sentData,
          heard: state.heard + (heard ? 1 : 0),
          resetDue: true,
          over: dataReply.code === 421,
        };
        return void open.push(note(next, `${verdict}: DATA ${kind}`));
      }
      return failed({ ...sentData, lost: true }, `DATA ${kind} unheard`);
    }
    const content = this.#requests[sentData.asked];
    if (content?.kind !== "content") return failed({ ...sentData, lost: true }, "no content");
    if (!wire.startsWith(content.text)) {
      return this.#fail(state, `downstream gets ${show(content.text)}, not ${show(wire)}`);
    }
    const sentContent = { ...sentData, asked: sentData.asked + 1 };
    if (!content.whole) return failed({ ...sentContent, lost: true }, "part of the content");
    const readers = fooled(content.text);
    if (readers.length > 0) {
      return this.#fail(state, `another end of data for ${readers.join("; ")}: ${show(content.text)}`);
    }
    if (this.#isGone(state, content.stamp)) return this.#fail(state, "the final dot though the client is gone");

    const reply = this.#reply(sentData.asked);
    if (reply && kindOf(reply) !== 3 && (heard?.text === reply.text || (!heard && this.#deaf))) {
      const next = { ...sentContent, heard: state.heard + (heard ? 1 : 0), over: reply.code === 421 };
      const { left, time } = this.#played;
      const mayNotHear = kindOf(reply) === 2 && (this.#deaf || left !== undefined || time >= LIMITS.client);
      open.push(note({ ...next, unheard: state.unheard + (mayNotHear ? 1 : 0) }, `${verdict}: dot ${kindOf(reply)}`));
      if (heard) return;
    }
    if (heard && Math.floor(heard.code / 100) === 2) return this.#fail(state, "a false 2xx");
    const gone = { ...sentContent, lost: true, unknown: state.unknown + 1 };
    // The client hears nothing where it is gone, and the log has it.
    failed(gone, `dot ${reply?.code ?? "lost"}`);
  }

  // Whether the client has ended, with no QUIT to answer after what it has said up to `at`.
  #mayBeGone({ at }: State): boolean {
    const { left, sent } = this.#played;
    return left === "ended" && !QUIT_LINE.test(sent.slice(at));
  }

  // Whether the reply to request number `asked` came too late for a client that has ended, or never.
  #isGivenUp(asked: number): boolean {
    // Where downstream took nothing for a while, its reply was read later than it came.
    if (this.#played.mx?.misbehaved) return true;
    const replied = this.#requests[asked]?.replied;
    return replied === undefined || replied - this.#played.leftTime >= OWED;
  }

  // Whether the program knew, when downstream heard `stamp`, that the client had left with nothing behind its message.
  #isGone(state: State, stamp: number): boolean {
    const { left, leftStamp, sent } = this.#played;
    if (left === undefined || stamp <= leftStamp) return false;
    const behind = sent.length - state.at;
    return left === "ended" ? behind === 0 : behind < AHEAD && behind === 0;
  }

  #reply(asked: number): HeardReply | undefined {
    return this.#played.mx?.scan.replies[asked];
  }
}

// --- rules in a table or two

// Only what is easily read: the rest is for the tests of XFORWARD.
function remoteIpAfter(before: string | undefined, raw: string): string | undefined {
  if (!/ADDR/i.test(raw)) return before;
  return /^XFORWARD ADDR=([0-9.]+) HELO=x\+20y\r\n$/.exec(raw)?.[1];
}

interface Restricted {
  /** The codes with which it may be refused, or must be. */
  readonly codes: readonly number[];
  readonly isSure: boolean;
}

function ofSender(raw: string): Restricted {
  const isPlain = /^ *MAIL FROM: ?(?:<a@b>|<>|a@b)(?: [A-Z0-9]+=[A-Z0-9]+)*\r\n$/i.test(raw);
  return { codes: isPlain ? [] : [501], isSure: isPlain };
}

// The rules of `RULES`, for recipients that are easily read.
function ofRecipient(raw: string, remoteIp: string | undefined): Restricted {
  if (/^RCPT TO:<e@f>(?: NOTIFY=NEVER)?\r\n$/i.test(raw)) return { codes: [450], isSure: true };
  if (!/^RCPT TO:<(?:c@d|probe@mx)>\r\n$/i.test(raw)) return { codes: [501, 450, 550], isSure: false };
  if (remoteIp === undefined) return { codes: [550], isSure: false };
  return { codes: remoteIp === "192.0.2.9" ? [550] : [], isSure: true };
}

// What the rules of `RULES` ask for after one more recipient.
function asksAfter({ asks, remoteIp }: State, raw: string, { bypass, dryRun, restricts }: Settings): State["asks"] {
  if (!restricts || asks === "asked") return asks;
  const isKnown = remoteIp !== undefined;
  const isListed = remoteIp === LISTED_CLIENT;
  // Nothing is asked of the rules, or their refusal does not count.
  if (isListed && (bypass || dryRun)) return asks;
  if (!isKnown && (bypass || dryRun)) return "maybe";
  if (/^RCPT TO:<c@d>\r\n$/i.test(raw)) return "asked";
  if (/^RCPT TO:<probe@mx>\r\n$/i.test(raw)) return asks === "maybe" ? asks : "none";
  return "maybe";
}

function learn(
  state: State,
  { verb, raw, settings }: { verb: string; raw: string; settings: Settings },
  reply: HeardReply,
): State {
  const kind = kindOf(reply);
  const phase = state.phase;
  const next = note(state, `${phase} ${verb} ${kind}`);
  if (verb === "AUTH" && reply.code === 334) return { ...next, mode: "auth" };
  if (kind !== 2) return next;
  if (verb === "MAIL") return { ...next, phase: "mail", recipients: 0, asks: "all" };
  if (verb === "RCPT" && phase !== "idle") {
    const asks = asksAfter(state, raw, settings);
    return { ...next, phase: "rcpt", recipients: state.recipients + 1, asks };
  }
  if (verb === "XFORWARD") return { ...next, remoteIp: remoteIpAfter(state.remoteIp, raw) };
  if (verb === "RSET" || verb === "HELO" || verb === "EHLO") {
    return { ...next, phase: "idle", recipients: 0, remoteIp: "", asks: "all" };
  }
  return next;
}

type Verdict =
  | { readonly kind: "refuse"; readonly code: number; readonly isSpoilt: boolean }
  /** It could not tell. */
  | { readonly kind: "unsure" }
  /** It changed the message, which it must not do. */
  | { readonly kind: "spoilt" }
  | { readonly kind: "pass"; readonly why: string; readonly version?: string; readonly isTagged?: true };

/** The programs that look at a message, in their order. */
function programsOf({ extchk, filter, helper, then = 0 }: Settings, isAsked: boolean): Program[] {
  const programs: Program[] = extchk && isAsked ? ["extchk"] : [];
  if (filter) programs.push(helper ? "helper" : "command");
  return [...programs, ...Array.from({ length: then }, () => "command" as const)];
}

/** CONTRACT section 5: what follows if it could not tell. */
function onErrorOf(program: Program, { onError, rejectUnsure }: Settings): "pass" | "tempfail" {
  return onError ?? (rejectUnsure || program === "extchk" ? "tempfail" : "pass");
}

function verdictOf(run: FilterRun, settings: Settings): Verdict {
  if (run.of === "extchk") return verdictOfChecker(run);
  const verdict = verdictOfFilter(run, settings);
  const isSpoilt = !settings.editInPlace && run.emailLeft !== undefined && run.emailLeft !== run.email;
  if (verdict.kind === "refuse") return { ...verdict, isSpoilt };
  return isSpoilt ? { kind: "spoilt" } : verdict;
}

/** CONTRACT section 4. */
function verdictOfChecker(
  { instruction, end, stopped, email, emailLeft, isDirectoryLeft = false }: FilterRun,
): Verdict {
  // If its file is gone, the message is still there.
  const isSpoilt = isDirectoryLeft || (emailLeft !== undefined && emailLeft !== email);
  const failed: Verdict = isSpoilt ? { kind: "spoilt" } : { kind: "unsure" };
  if (instruction.refused || !end || stopped || "signal" in end) return failed;
  if (end.exit === 1) return { kind: "refuse", code: 552, isSpoilt };
  if (end.exit !== 0 || isDirectoryLeft || emailLeft === undefined) return failed;
  if (emailLeft === email) return { kind: "pass", why: "passed" };
  return emailLeft === "" ? failed : { kind: "pass", why: "checked", version: emailLeft };
}

/** CONTRACT section 2, as a table. */
function verdictOfFilter(run: FilterRun, settings: Settings): Verdict {
  const { instruction, end } = run;
  const unsure: Verdict = { kind: "unsure" };
  const refuse = (code: number): Verdict => ({ kind: "refuse", code, isSpoilt: false });
  if (instruction.refused || !end || run.stopped || "signal" in end) return unsure;
  const said = (instruction.stderr ?? "").repeat(instruction.times ?? 1).split(run.of === "helper" ? /[\r\n]+/ : "\n");
  const line = said.filter((one) => one.trim() !== "").at(-1) ?? "";
  const code = Number((settings.allowDiscard ? /^[245][0-9][0-9] / : /^[45][0-9][0-9] /).exec(line)?.[0] ?? 0);
  const usual = end.exit === 0 ? "pass" : end.exit > 1 || (settings.strictExit && code === 0) ? "fail" : "reject";
  const meaning = settings.exitStatus?.find(([status]) => status === end.exit)?.[1] ?? usual;
  if (meaning === "fail") return unsure;
  if (meaning === "tempfail") return refuse(Number(/^4[0-9][0-9](?= )/.exec(line)?.[0] ?? 451));
  if (meaning === "discard") return refuse(Number(/^2[0-9][0-9](?= )/.exec(line)?.[0] ?? 250));
  if (meaning === "pass") {
    if (instruction.outfileIs === "directory") return unsure;
    if (run.outfile) return { kind: "pass", why: "replaced", version: run.outfile };
    if (!settings.editInPlace || run.emailLeft === run.email) return { kind: "pass", why: "passed" };
    return run.emailLeft ? { kind: "pass", why: "edited", version: run.emailLeft } : unsure;
  }
  return refuse(code || 554);
}

/** CONTRACT section 5, what follows from a catch. */
function settledOf(verdict: Verdict, { action, dryRun }: Settings): Verdict {
  if (verdict.kind !== "refuse") return verdict;
  if (dryRun) return { kind: "pass", why: "dry run" };
  if (!action) return verdict;
  const { code, isSpoilt } = verdict;
  const kind = Math.floor(code / 100);
  if (kind === 4 && action !== "log") return verdict;
  // There is nothing left that could pass.
  if ((action === "log" || action === "tag") && isSpoilt) return { kind: "spoilt" };
  if (action === "log") return { kind: "pass", why: "logged" };
  if (action === "tempfail") return { ...verdict, code: 451 };
  if (action === "tag") return { kind: "pass", why: "tagged", isTagged: true };
  return kind === 2 ? verdict : { ...verdict, code: 250 };
}

// The field that has a filter's text, in what came of it. The tests of the policy check that text.
function tagIn(content: string, program: Program): string {
  if (program === "extchk") return "X-Postprox: extchk; Content rejected";
  return new RegExp(`^X-Postprox: ${program}; [ -~]+(?=\\r?\\n)`).exec(content)?.[0] ?? `X-Postprox: ${program}; `;
}

/** Whether checks have no time left after this program. */
function isLate(run: FilterRun | undefined, start: number): boolean {
  return run?.endTime !== undefined && run.endTime - start >= CHECKS_TIME;
}

/** When the moment of an octet was. What a client that takes nothing never heard has none. */
function timeAt(moments: readonly Moment[], octet: number): number {
  return moments.find((moment) => moment.end >= octet)?.time ?? Infinity;
}

/** A message without the fields that only postprox may write, and with `tag` on top. */
function retagged(message: string, tag: string): string {
  const [header = ""] = /^(?:[!-9;-~]+[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*(?:\n|$))*/.exec(message) ?? [];
  const body = message.slice(header.length);
  const kept = header.replace(/^X-Postprox[ \t]*:[^\n]*\n(?:[ \t][^\n]*(?:\n|$))*/gim, "");
  if (kept === header && tag === "") return message;
  const whole = `${tag === "" ? "" : `${tag}\n`}${kept}`;
  return `${whole}${whole === "" || body === "" || /^\r*\n/.test(body) ? "" : "\n"}${body}`;
}

/** As many lines as before, or fewer, that end with CR LF: the filter has copied them, and their CR belongs to them. */
function lineEndsOf(version: string, before: number): "lf" | "lf-or-crlf" {
  return before > 0 && crLinesIn(version) <= before ? "lf" : "lf-or-crlf";
}

function crLinesIn(text: string): number {
  return text.split("\r\n").length - 1;
}

/** Whether the program may have given up: somebody left or misbehaved, or waited or was waited for too long. */
function isExcused(played: Played): boolean {
  const { mx, input: { settings }, time } = played;
  if (!mx || mx.misbehaved || played.left || played.stalled || played.shutDown || played.fault) return true;
  if (mx.requests.some(({ time, replied, whole }) => whole && (replied === undefined || replied - time > 5000))) {
    return true;
  }
  // The refusal of a QUIT may have been said unasked. Then downstream has taken the QUIT, and leaves.
  if (mx.requests.slice(0, -1).some(({ text }) => /^\s*QUIT\b/i.test(text))) return true;
  return time >= Math.min(LIMITS.client, settings.sessionTimeout ?? Infinity) || settings.connect !== undefined;
}

// CONTRACT, a client that leaves: no session is held for it. More than is read ahead hides its leaving.
function isHeld({ left, leftTime, wasReset, endTime, sent, stalled, fault }: Played): boolean {
  if (!left || stalled || fault || sent.length > AHEAD || (!wasReset && QUIT_LINE.test(sent))) return false;
  return endTime - leftTime > LEAVING;
}

function isOwn(reply: HeardReply | undefined, code: number): boolean {
  return reply !== undefined && reply.code === code && OWN.has(reply.text);
}

function isForClient(verb: string, reply: HeardReply): boolean {
  return kindOf(reply) !== 3 || (verb === "AUTH" && reply.code === 334);
}

function kindOf(reply: HeardReply | undefined): number {
  return reply ? Math.floor(reply.code / 100) : 0;
}

function note(state: State, feature: string): State {
  return { ...state, features: { feature, before: state.features } };
}

function octetsOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function show(text: string): string {
  return JSON.stringify(text.length > 160 ? `${text.slice(0, 160)}... (${text.length})` : text);
}
