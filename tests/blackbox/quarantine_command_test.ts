// `postprox quarantine` from outside: what it prints, its status, and what is in the directory afterwards.

import assert from "node:assert/strict";
import { programWords } from "../e2e/program.ts";
import { runCommand, runOnTerminal, runProgram } from "../e2e/start.ts";
import { show, utf8 } from "../rig/octets.ts";
import { Server } from "../rig/server.ts";
import { until } from "../rig/wait.ts";
import { Kept } from "./kept.ts";

interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function quarantine(kept: Kept, ...words: readonly string[]): Promise<Ran> {
  return runProgram(["quarantine", ...words, `--quarantine=${kept.dir}`]);
}

function said(ran: Ran, status: number, stdout: RegExp, stderr = /^$/): void {
  const all = `status ${ran.status}, ${show(ran.stdout, 2000)} and ${show(ran.stderr, 2000)}`;
  assert.equal(ran.status, status, all);
  assert.match(ran.stdout, stdout, all);
  assert.match(ran.stderr, stderr, all);
}

/** Words after `quarantine --quarantine=DIR`, and what the error says. `ID` is one that is well formed. */
const WRONG: readonly (readonly [words: string, says: RegExp])[] = [
  ["", /not said what to do: give list, or show ID/],
  ["lost", /"lost" is not known/],
  ["list x", /"x" is too much/],
  ["show", /give show ID/],
  ["show ID ID", /too much/],
  ["show ../x", /"..\/x" is no id/],
  ["show /etc/passwd", /no id/],
  ["show ID/../x", /no id/],
  ["show ..", /no id/],
  ["show x", /no id/],
  ["delete", /give delete ID/],
  ["delete ID ../x", /no id/],
  ["release", /give release ID\.\.\. \[HOST:PORT\]/],
  ["release ID", /no server is named.*HOST:PORT/],
  ["release 127.0.0.1:25", /no message is named/],
  ["release ID ../x", /"..\/x" is no host name: give HOST:PORT/],
  ["release ../x 127.0.0.1:25", /no id/],
  ["release ID 127.0.0.1:0", /no valid port/],
  ["expire", /give expire DAYS/],
  ["expire x", /"x" is no age in days/],
  ["expire 1d", /no age/],
  ["expire", /give expire DAYS/],
  ["expire 1 2", /too much/],
  ["list --json=x", /takes no value/],
];

Deno.test("wrong use of quarantine is one line and status 64", async (test) => {
  using kept = new Kept();
  const id = kept.put();
  for (const [words, says] of WRONG) {
    await test.step(words || "no word", async () => {
      const ran = await quarantine(kept, ...words.split(" ").filter(Boolean).map((word) => word.replace("ID", id)));
      said(ran, 64, /^$/, says);
      assert.match(ran.stderr, /^postprox: [^\n]+\n$/);
      assert.equal(kept.names.length, 2);
    });
  }
  await test.step("no directory", async () => {
    said(await runProgram(["quarantine", "list"]), 64, /^$/, /give --quarantine=DIR/);
  });
  for (const dir of ["/nonexistent/none", "/dev/null"]) {
    await test.step(dir, async () => {
      said(
        await runProgram(["quarantine", "list", `--quarantine=${dir}`]),
        75,
        /^$/,
        /^postprox: option --quarantine: /,
      );
    });
  }
  await test.step("--json is no option of the proxy", async () => {
    said(await runProgram(["--json", "127.0.0.1:1"]), 64, /^$/, /"--json" is not known/);
  });
});

Deno.test("list has a line for each message, the oldest first, and says what cannot be trusted", async () => {
  using kept = new Kept();
  said(await quarantine(kept, "list"), 0, /^$/);
  said(await quarantine(kept, "list", "--json"), 0, /^$/);
  const young = kept.put("x".repeat(5000), { sender: "<>", recipients: ["b@example.com", "c@example.com", "d@e"] });
  const old = kept.put("x", { check: "filter-rules", helo: "\x1b[31m\u009b", sender: null }, 50);
  const rows = [`${old}    2d      1  filter-rules  unknown  <b@example.com>`];
  rows.push(`${young}    0s   4.9K  clamd         <>  <b@example.com> and 2 more`);
  const ran = await quarantine(kept, "list");
  assert.equal(ran.stdout.replace(/ [0-9]s /, " 0s "), `${rows.join("\n")}\n`);
  const json = await quarantine(kept, "list", "--json");
  assert.equal(json.status, 0);
  assert.deepEqual(
    json.stdout.trimEnd().split("\n").map((line) => JSON.parse(line)),
    [old, young].map((id) => kept.facts(id)),
  );
  // deno-lint-ignore no-control-regex
  assert.ok(!/[\x00-\x09\x0b-\x1f\x7f-\x9f]/.test(json.stdout));
});

const HOSTILE: readonly (readonly [what: string, spoil: (kept: Kept, id: string) => void, stderr: RegExp])[] = [
  ["a record that is a link", (kept, id) => swap(kept, `${id}.json`, "link"), /\.json is no regular file/],
  ["a record that is a directory", (kept, id) => swap(kept, `${id}.json`, "directory"), /\.json is no regular file/],
  ["a message that is a link", (kept, id) => swap(kept, `${id}.eml`, "link"), /\.eml is no regular file/],
  ["a message that is a pipe", (kept, id) => swap(kept, `${id}.eml`, "pipe"), /\.eml is no regular file/],
  ["a record that is a pipe", (kept, id) => swap(kept, `${id}.json`, "pipe"), /\.json is no regular file/],
  ["no message", (kept, id) => Deno.removeSync(`${kept.dir}/${id}.eml`), /no such file/i],
  ["a shorter message", (kept, id) => kept.write(`${id}.eml`, "x"), /has 1 octets, and its record says/],
  ["an empty record", (kept, id) => kept.write(`${id}.json`, ""), /no JSON/],
  ["a record cut short", (kept, id) => kept.write(`${id}.json`, '{"id":'), /no JSON/],
  ["another message's record", (kept, id) => kept.write(`${id}.json`, '{"id":"x"}'), /id of another/],
  [
    "a recipient that would be a command",
    (kept, id) => kept.write(`${id}.json`, JSON.stringify({ ...kept.facts(id), recipients: ["a@b>\r\nRSET\r\n"] })),
    /recipient that is no address/,
  ],
];

function swap(kept: Kept, name: string, kind: "link" | "directory" | "pipe"): void {
  const path = `${kept.dir}/${name}`;
  Deno.removeSync(path);
  if (kind === "link") Deno.symlinkSync("/etc/passwd", path);
  else if (kind === "directory") Deno.mkdirSync(path);
  else new Deno.Command("mkfifo", { args: [path] }).outputSync();
}

Deno.test("what others put into the quarantine is told, and is not trusted", async (test) => {
  using kept = new Kept();
  await using server = await Stopped.start();
  for (const [what, spoil, stderr] of HOSTILE) {
    await test.step(what, async () => {
      kept.clear();
      const good = kept.put();
      const bad = kept.put("Subject: bad\n\nbad\n");
      spoil(kept, bad);
      said(await quarantine(kept, "list"), 1, new RegExp(`^${good} [^\\n]*\\n$`), stderr);
      said(await quarantine(kept, "show", bad), 1, /^$/, stderr);
      said(await quarantine(kept, "release", bad, good, server.operand), 1, /^[^\n]* released: 250 /, stderr);
      assert.equal(server.messages.length, 1);
      server.reset();
    });
  }
  await test.step("files of others", async () => {
    kept.clear();
    const good = kept.put();
    Deno.mkdirSync(`${kept.dir}/lost+found`);
    for (const name of ["README", `${good}.txt`, "..json", "x\x1b[31m"]) kept.write(name, "");
    const ran = await quarantine(kept, "list");
    said(ran, 0, new RegExp(`^${good} [^\\n]*\\n$`), /lost\+found is no file of the quarantine/);
    assert.equal(ran.stderr.split("\n").length, 6);
    assert.ok(!ran.stderr.includes("\x1b"));
    await quarantine(kept, "expire", "0");
    assert.deepEqual(kept.names, ["README", `${good}.txt`, "..json", "x\x1b[31m", "lost+found"].sort());
  });
});

Deno.test("show tells the facts, and the message without what a terminal would obey", async () => {
  using kept = new Kept();
  const content = utf8("Subject: é\t\\\n\n\x1b[31mred\x9b\u202e\u009b\r\x00 end\n").replace("\u009b", "\x9b");
  const id = kept.put(content, { reason: "a \x1b[2J", recipients: ["b@example.com", "c@example.com"] });
  const ran = await quarantine(kept, "show", id);
  said(ran, 0, /^id +2/);
  for (
    const [name, value] of [["check", "clamd"], ["reply", "550 5.7.1 virus found: X"], ["sender", "<a@example.org>"]]
  ) {
    assert.match(ran.stdout, new RegExp(`^${name} +${value}$`, "m"));
  }
  assert.match(ran.stdout, /^recipient +<b@example.com>\nrecipient +<c@example.com>$/m);
  assert.match(ran.stdout, /^client +mx.example.org\[192.0.2.7\] helo mx.example.org$/m);
  assert.match(ran.stdout, /^file +\/.*\.eml\n\nSubject: é\t\\\n\n\\x1b\[31mred/m);
  // deno-lint-ignore no-control-regex
  assert.ok(!/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/.test(ran.stdout), show(ran.stdout));
  const json = await quarantine(kept, "show", id, "--json");
  assert.deepEqual(JSON.parse(json.stdout), { ...kept.facts(id), file: `${kept.dir}/${id}.eml` });
  said(await quarantine(kept, "show", id.replace(/.$/, "0")), 1, /^$/, /is not in the quarantine/);
});

Deno.test("show gives all of a large message to a pipe, and its beginning to a terminal", async () => {
  using kept = new Kept();
  const id = kept.put(`Subject: large\n\n${"A line of text.\n".repeat(200_000)}the end\n`);
  const ran = await quarantine(kept, "show", id);
  said(ran, 0, /the end\n$/);
  const { status, stdout } = await runOnTerminal(["quarantine", "show", id, `--quarantine=${kept.dir}`]);
  assert.equal(status, 0);
  assert.match(stdout, /Subject: large/);
  assert.match(stdout, /\.\.\. [0-9]+ octets more: show it with "\| less", or read \//);
  assert.ok(stdout.length < 20_000);
  // A list has headings there.
  assert.match((await runOnTerminal(["quarantine", "list", `--quarantine=${kept.dir}`])).stdout, /^ID +AGE +SIZE/);
});

Deno.test("a reader that has read enough is no failure", async () => {
  using kept = new Kept();
  const id = kept.put("x\n".repeat(2_000_000));
  const shell = `"$@" | head -n 3; echo "\${PIPESTATUS[0]}"`;
  const words = [...programWords(), "quarantine", "show", id, `--quarantine=${kept.dir}`];
  const { stdout, stderr } = await runCommand(["bash", "-c", shell, "-", ...words]);
  assert.match(stdout, /^id .*\nkept .*\nsession .*\n0\n$/);
  assert.equal(stderr, "");
});

Deno.test("delete removes the named messages, even damaged ones, and says which are not there", async () => {
  using kept = new Kept();
  const [one, two, three, stays] = [kept.put(), kept.put(), kept.put(), kept.put()];
  kept.write(`${two}.json`, "{");
  Deno.removeSync(`${kept.dir}/${three}.eml`);
  said(
    await quarantine(kept, "delete", one, two, three),
    0,
    new RegExp(`^${one} deleted\n${two} deleted\n${three} deleted\n$`),
  );
  assert.deepEqual(kept.names, [`${stays}.eml`, `${stays}.json`]);
  said(await quarantine(kept, "delete", one, stays), 1, new RegExp(`^${stays} deleted\n$`), /is not in the quarantine/);
  assert.deepEqual(kept.names, []);
});

Deno.test("a link is removed, and not what it leads to", async () => {
  using kept = new Kept();
  using other = new Kept();
  other.write("file", "kept");
  const id = kept.put();
  for (const ending of ["json", "eml"]) {
    Deno.removeSync(`${kept.dir}/${id}.${ending}`);
    Deno.symlinkSync(`${other.dir}/${ending === "eml" ? "file" : ""}`, `${kept.dir}/${id}.${ending}`);
  }
  said(await quarantine(kept, "delete", id), 0, /deleted/);
  assert.deepEqual([kept.names, other.names], [[], ["file"]]);
});

Deno.test("expire removes what is older than DAYS, and old parts", async () => {
  using kept = new Kept();
  const [old, young] = [kept.put("x", {}, 49), kept.put("x", {}, 47)];
  const touched = kept.put();
  for (const ending of ["eml", "json"]) Deno.utimeSync(`${kept.dir}/${touched}.${ending}`, 1e9, 1e9);
  const parts = [kept.put("x", {}, 49), kept.put("x", {}, 49), kept.put("x", {}, 1)];
  Deno.removeSync(`${kept.dir}/${parts[0]}.json`);
  Deno.renameSync(`${kept.dir}/${parts[1]}.json`, `${kept.dir}/${parts[1]}.new`);
  Deno.removeSync(`${kept.dir}/${parts[2]}.json`);
  const listed = await quarantine(kept, "list");
  assert.equal(listed.stdout.split("\n").length, 4);
  const ran = await quarantine(kept, "expire", "2");
  said(ran, 0, new RegExp(`^${old} removed after 2d$`, "m"));
  assert.match(ran.stdout, /removed after 2d: a part that was left over$/m);
  const left = [`${young}.eml`, `${young}.json`, `${parts[2]}.eml`].sort();
  assert.deepEqual(kept.names, left);
  said(await quarantine(kept, "expire", "2"), 0, /^$/);
  assert.deepEqual(kept.names, left);
  said(await quarantine(kept, "expire", "0", "--json"), 0, /"outcome":"deleted"/);
  assert.deepEqual(kept.names, []);
});

Deno.test("expire leaves a part that somebody may still write, and a message that somebody sends", async () => {
  using kept = new Kept();
  const fresh = kept.put();
  Deno.removeSync(`${kept.dir}/${fresh}.json`);
  const locked = kept.put("x", {}, 100);
  const part = kept.put("x", {}, 100);
  Deno.removeSync(`${kept.dir}/${part}.json`);
  const open = [locked, part].map((id) => Deno.openSync(`${kept.dir}/${id}.eml`));
  for (const file of open) file.lockSync(true);
  said(await quarantine(kept, "expire", "0"), 1, /^$/, new RegExp(`^postprox: ${locked} stays`));
  said(await quarantine(kept, "delete", locked), 1, /^$/, /somebody else is at work on it/);
  assert.equal(kept.names.length, 4);
  for (const file of open) file.close();
  said(await quarantine(kept, "expire", "0"), 0, /removed/);
  assert.deepEqual(kept.names, [`${fresh}.eml`]);
});

// --- release

class Stopped {
  static async start(): Promise<Server & AsyncDisposable> {
    const server = await Server.start();
    return Object.assign(server, { [Symbol.asyncDispose]: () => server.stop() });
  }
}

Deno.test("release sends the kept envelope and content, and then removes the copy", async (test) => {
  using kept = new Kept();
  await using server = await Stopped.start();
  const release = async (id: string, ...words: string[]) => {
    const ran = await quarantine(kept, "release", id, server.operand, ...words);
    await server.until(() => server.sessions.every((session) => session.gone), "the end of the session");
    assert.deepEqual(server.violations, []);
    return ran;
  };
  await test.step("plain", async () => {
    const id = kept.put("Subject: x\n\n.\n..dots\nno end", { recipients: ["b@example.com", "c@example.com"] });
    said(await release(id), 0, new RegExp(`^${id} released: 250 2.0.0 queued as 4711\n$`));
    assert.deepEqual(server.messages.map(({ text }) => text), ["Subject: x\r\n\r\n.\r\n..dots\r\nno end\r\n"]);
    const [ehlo, ...lines] = server.lines;
    assert.match(ehlo!, /^EHLO [a-z0-9.-]+$/i);
    assert.deepEqual(lines, [
      "MAIL FROM:<a@example.org>",
      "RCPT TO:<b@example.com>",
      "RCPT TO:<c@example.com>",
      "DATA",
      "QUIT",
    ]);
    assert.deepEqual(kept.names, []);
  });
  const offer = (...words: string[]) => ({
    EHLO: ["250-fake.example", ...words.map((word) => `250-${word}`), "250 HELP"].join("\r\n"),
  });
  const mails: readonly [what: string, offered: string[], content: string, facts: object, mail: RegExp][] = [
    ["the null sender", [], "x\n", { sender: "<>" }, /^MAIL FROM:<>$/],
    ["SIZE is that on the wire", ["SIZE 10000"], "a\nb\n\nc", {}, /^MAIL FROM:<a@example.org> SIZE=11$/],
    ["SIZE without a number", ["SIZE"], ".\n", {}, / SIZE=3$/],
    ["8BITMIME as needed", ["8BITMIME"], "\xe9\n", {}, /> BODY=8BITMIME$/],
    ["8BITMIME not needed", ["8BITMIME", "SMTPUTF8"], "e\n", {}, /^MAIL FROM:<a@example.org>$/],
    ["8BITMIME not offered", [], "\xe9\n", {}, /^MAIL FROM:<a@example.org>$/],
    ["SMTPUTF8 for the sender", ["SMTPUTF8"], "x\n", { sender: "é@example.org" }, /SMTPUTF8$/],
    [
      "SMTPUTF8 for a recipient",
      ["SMTPUTF8", "8BITMIME"],
      "\xff",
      { recipients: ["b@e", "é@e"] },
      /> BODY=8BITMIME SMTPUTF8$/,
    ],
    ["SMTPUTF8 not offered", [], "x\n", { sender: "é@example.org" }, />$/],
  ];
  for (const [what, offered, content, facts, mail] of mails) {
    await test.step(what, async () => {
      server.reset(offer(...offered));
      said(await release(kept.put(content, facts as Record<string, unknown>)), 0, /released: 250/);
      assert.match(server.lines[1]!, mail);
      assert.deepEqual(kept.names, []);
    });
  }
  await test.step("HELO where EHLO is not known", async () => {
    server.reset({ EHLO: "502 no" });
    said(await release(kept.put()), 0, /released: 250/);
    assert.deepEqual(server.verbs, ["EHLO", "HELO", "MAIL", "RCPT", "DATA", "QUIT"]);
  });
  await test.step("--json", async () => {
    server.reset();
    const id = kept.put();
    const { stdout } = await release(id, "--json");
    assert.deepEqual(JSON.parse(stdout), { id, outcome: "released", reply: "250 2.0.0 queued as 4711" });
  });
  await test.step("several messages, one of them named twice and one not there", async () => {
    server.reset();
    const [one, two] = [kept.put(), kept.put()];
    const gone = one.replace(/.$/, "z").replace(/z$/, "v");
    const ran = await quarantine(kept, "release", one, gone, two, one, server.operand);
    said(ran, 1, /^.* released: .*\n.* released: .*\n$/, /^postprox: \S+ is not in the quarantine\n$/);
    assert.equal(server.messages.length, 2);
    assert.deepEqual(kept.names, []);
  });
});

Deno.test("the file of --config names the quarantine, and the server of a release", async (test) => {
  using kept = new Kept();
  await using server = await Stopped.start();
  const file = Deno.makeTempFileSync({ prefix: "postprox_config_" });
  // A service may run with the same file.
  const write = (nextHop: string, ...more: string[]) =>
    Deno.writeTextFileSync(
      file,
      [`quarantine = ${kept.dir}`, `next-hop = ${nextHop}`, "listen = 127.0.0.1:1", ...more, ""].join("\n"),
    );
  const run = (...words: string[]) => runProgram(["quarantine", `--config=${file}`, ...words]);
  await test.step("list and release", async () => {
    write(server.operand);
    const id = kept.put();
    said(await run("list"), 0, new RegExp(`^${id} [^\\n]*\\n$`));
    said(await run("release", id), 0, new RegExp(`^${id} released: 250 2.0.0 queued as 4711\\n$`));
    assert.equal(server.messages.length, 1);
    assert.deepEqual(kept.names, []);
  });
  await test.step("the command line has precedence", async () => {
    write("127.0.0.1:1");
    server.reset();
    using other = new Kept();
    const [id, second] = [kept.put(), other.put()];
    said(await run("list", `--quarantine=${other.dir}`), 0, new RegExp(`^${second} [^\\n]*\\n$`));
    said(await run("release", id), 1, /^$/, /127\.0\.0\.1:1\b/);
    said(await run("release", id, server.operand), 0, /released: 250/);
    assert.equal(server.messages.length, 1);
  });
  await test.step("a mistake in the file", async () => {
    write("127.0.0.1:0", "timeout = 0");
    const id = kept.put();
    const place = RegExp.escape(file);
    const lines = [`${place}:2: next-hop = 127\\.0\\.0\\.1:0: .* valid port`, `${place}:4: timeout = 0: .* time limit`];
    said(await run("release", id), 64, /^$/, new RegExp(`^postprox: ${lines.join(".*\npostprox: ")}.*\n$`));
    assert.equal(kept.names.length, 2);
  });
  Deno.removeSync(file);
});

Deno.test("recipients that the server refuses stay in the copy", async (test) => {
  using kept = new Kept();
  await using server = await Stopped.start();
  const refuses = (line: string) => /<[cd]@/.test(line) ? "550 5.1.1 no such user" : "250 2.1.5 ok";
  server.reset({ RCPT: refuses });
  const recipients = ["b@example.com", "c@example.com", "d@example.com", "e@example.com"];
  const id = kept.put(undefined, { recipients });
  const before = kept.facts(id);
  await test.step("some", async () => {
    const ran = await quarantine(kept, "release", id, server.operand);
    said(ran, 1, /^$/, /released to 2 of 4 recipients: 250 .*<c@example.com>: 550 5.1.1 no such user; <d@/);
    assert.equal(server.messages.length, 1);
    assert.deepEqual(kept.facts(id), { ...before, recipients: ["c@example.com", "d@example.com"] });
    assert.deepEqual(kept.names, [`${id}.eml`, `${id}.json`]);
    assert.equal(Deno.statSync(`${kept.dir}/${id}.json`).mode! & 0o777, 0o600);
  });
  await test.step("all", async () => {
    const ran = await quarantine(kept, "release", id, server.operand, "--json");
    said(ran, 1, /"outcome":"refused"/, /not released: .*RCPT TO.*550 5.1.1/);
    assert.equal(JSON.parse(ran.stdout).refused.length, 2);
    assert.equal(server.messages.length, 1);
    assert.ok(server.verbs.filter((verb) => verb === "DATA").length === 1);
    assert.deepEqual(kept.facts(id), { ...before, recipients: ["c@example.com", "d@example.com"] });
  });
  await test.step("then none", async () => {
    server.reset();
    said(await quarantine(kept, "release", id, server.operand), 0, /released/);
    assert.deepEqual(server.lines.filter((line) => line.startsWith("RCPT")), [
      "RCPT TO:<c@example.com>",
      "RCPT TO:<d@example.com>",
    ]);
    assert.deepEqual(kept.names, []);
  });
  await test.step("one that cannot be said", async () => {
    server.reset();
    const id = kept.put(undefined, { recipients: ["b@e> NOTIFY=NEVER ORCPT=<x", "\ufffd@e", "", "c@e"] });
    said(await quarantine(kept, "release", id, server.operand), 1, /^$/, /released to 1 of 4.*501 5.1.3/);
    assert.deepEqual(server.lines.filter((line) => line.startsWith("RCPT")), ["RCPT TO:<c@e>"]);
    assert.equal((kept.facts(id).recipients as string[]).length, 3);
  });
  await test.step("a sender that is not known", async () => {
    server.reset();
    const id = kept.put(undefined, { sender: null });
    said(await quarantine(kept, "release", id, server.operand), 1, /^$/, /sender cannot be said/);
    assert.equal(server.sessions.length, 0);
  });
});

/** At each point of the dialogue, what a server may do instead of what it should. */
const FAULTS: readonly (readonly [string, Parameters<Server["reset"]>[0], RegExp])[] = [
  ...(["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"] as const).flatMap((verb) =>
    [
      ["refuses", { reply: "450 4.0.0 later" }, /450 4.0.0 later|cannot/],
      ["refuses for good", { reply: "550 5.0.0 never" }, /550 5.0.0 never/],
      ["leaves", { reply: "421 4.0.0 bye", then: "close" }, /421 4.0.0 bye/],
      ["closes", { then: "close" }, /closed the connection/],
      ["resets", { then: "reset" }, /reset|closed/i],
      ["is silent", { then: "silence" }, /silent|timed? ?out|no greeting/i],
      ["says nonsense", { reply: "what?" }, /no SMTP reply/],
      ["is endless", { raw: "250-x\r\n".repeat(2000) }, /reply of more than/],
      ["says half of it", { raw: "25", then: "close" }, /closed the connection/],
    ].filter(([what]) => verb !== "EHLO" || what !== "refuses for good")
      .map(([what, step, says]) => [`${verb}: it ${what}`, { [verb]: step }, says] as never)
  ),
  ["CONTENT: it resets", { CONTENT: { at: 100_000, then: "reset" } }, /closed|reset|broken pipe/i],
  ["CONTENT: it speaks", { CONTENT: { at: 100_000, reply: "250 ok" } }, /250 ok/],
  ["DATA: it says 250", { DATA: "250 ok" }, /answered DATA with 250 ok/],
  ["DATA: it says 334", { DATA: "334 go on" }, /answered DATA with 334/],
  [".: it refuses", { ".": "554 5.7.1 spam" }, /refused the message: 554 5.7.1 spam/],
  [".: it refuses for now", { ".": "451 4.3.0 later" }, /refused the message: 451 4.3.0/],
];

const HURRY = ["--connect-timeout=1", "--reply-timeout=1", "--dot-timeout=1"];

Deno.test("a server that fails before it has the message: it stays, and is not marked", async (test) => {
  using kept = new Kept();
  await using server = await Stopped.start();
  // More than the kernel takes when nobody reads.
  const content = `Subject: x\n\n${"A line of text\n".repeat(1_000_000)}`;
  for (const [what, script, says] of FAULTS) {
    await test.step(what, async () => {
      kept.clear();
      const id = kept.put(what.startsWith("CONTENT") ? content : undefined);
      const before = kept.facts(id);
      server.reset(script);
      const ran = await quarantine(kept, "release", id, server.operand, ...HURRY);
      said(ran, 1, /^$/, says);
      assert.match(ran.stderr, /not released/);
      assert.deepEqual(kept.names, [`${id}.eml`, `${id}.json`]);
      assert.deepEqual(kept.facts(id), before);
    });
  }
  const id = kept.names[0]!.replace(/\..*/, "");
  await test.step("nobody listens", async () => {
    said(await quarantine(kept, "release", id, "127.0.0.1:1"), 1, /^$/, /not released: .*refused/i);
  });
  await test.step("all is well again", async () => {
    server.reset();
    said(await quarantine(kept, "release", id, server.operand), 0, /released/);
    assert.equal(server.messages.length, 1);
  });
});

Deno.test("a server that fails when it has the message: it stays, and is marked as perhaps delivered", async (test) => {
  using kept = new Kept();
  await using server = await Stopped.start();
  const steps = {
    closes: { then: "close" },
    resets: { then: "reset" },
    "is silent": { then: "silence" },
    "says nonsense": { reply: "what?" },
    "says 354": { reply: "354 go on" },
    "leaves half a reply": { raw: "250-a\r\n25", then: "close" },
  } as const;
  for (const [what, step] of Object.entries(steps)) {
    await test.step(what, async () => {
      kept.clear();
      const id = kept.put();
      server.reset({ ".": step });
      const ran = await quarantine(kept, "release", id, server.operand, ...HURRY);
      said(ran, 1, /^$/, /may have been released, and stays: a further release may make a duplicate/);
      const { attempt, ...facts } = kept.facts(id) as unknown as { attempt: { recipients: string[]; server: string } };
      assert.deepEqual([attempt.recipients, attempt.server], [["b@example.com"], server.operand]);
      assert.equal((facts as { size?: number }).size, 23);
      said(await quarantine(kept, "list"), 0, /<b@example.com> \(may have been delivered\)\n$/);
      said(await quarantine(kept, "show", id), 0, /^attempt +a release to /m);
      server.reset();
      said(await quarantine(kept, "release", id, server.operand), 0, /released/, /may become a duplicate/);
      assert.deepEqual(kept.names, []);
    });
  }
});

Deno.test("two releases at once do not send a message twice", async () => {
  using kept = new Kept();
  await using server = await Stopped.start();
  const id = kept.put();
  let go = () => {};
  server.reset({ ".": { reply: "250 2.0.0 queued", after: new Promise<void>((resolve) => go = resolve) } });
  const first = quarantine(kept, "release", id, server.operand);
  await until(() => server.messages.length === 1, "the message");
  said(await quarantine(kept, "release", id, server.operand), 1, /^$/, /somebody else is at work on it/);
  said(await quarantine(kept, "delete", id), 1, /^$/, /somebody else is at work on it/);
  said(await quarantine(kept, "list"), 0, /may have been delivered/);
  go();
  said(await first, 0, /released/);
  said(await quarantine(kept, "release", id, server.operand), 1, /^$/, /is not in the quarantine/);
  assert.equal(server.messages.length, 1);
});
