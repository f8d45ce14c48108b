// Shows what postprox does: `deno task demo`.
//
// It runs a small mail server with postprox before it. postprox asks examples/demo-filter and a stand-in for clamd, which
// knows one virus, the EICAR test file. Four messages are sent. One passes, the filter refuses one and changes one, and one
// has the virus. The demonstration shows the dialogue of each, what the sender heard, and what the server got. The exit
// status is 0 only if all four went as expected.

import { CLAMD, EICAR } from "../tests/fakes/clamd.ts";
import { FakeScanner } from "../tests/fakes/scanner.ts";
import { connectTo } from "../tests/rig/client.ts";
import { freePort } from "../tests/rig/ports.ts";
import { Server } from "../tests/rig/server.ts";

const root = decodeURIComponent(new URL("../", import.meta.url).pathname);
const plain = Deno.noColor || !Deno.stdout.isTerminal();
const paint = (code: number) => (text: string) => plain ? text : `\x1b[${code}m${text}\x1b[0m`;
const [bold, red, green, yellow, blue, dim] = [1, 31, 32, 33, 36, 2].map(paint) as [
  Paint,
  Paint,
  Paint,
  Paint,
  Paint,
  Paint,
];
type Paint = (text: string) => string;

interface Story {
  readonly title: string;
  readonly text: readonly string[];
  readonly reply: RegExp;
  /** Whether the mail server must have got this text; undefined if it must have got nothing. */
  readonly delivered: (text: string) => boolean;
  readonly outcome: string;
}

const today = new Date();
const date = [today.getFullYear(), today.getMonth() + 1, today.getDate()].map((part) => String(part).padStart(2, "0"));

const STORIES: readonly Story[] = [
  {
    title: "A clean message passes",
    text: ["Subject: Lunch?", "", "Shall we meet at noon?"],
    reply: /^250 /,
    delivered: (text) => text === "Subject: Lunch?\r\n\r\nShall we meet at noon?\r\n",
    outcome: "delivered as it was sent",
  },
  {
    title: "An advertisement is refused",
    text: ["Subject: Cheap watches!!!", "", "Buy them now."],
    reply: /^550 5\.7\.1 No advertisements/,
    delivered: (text) => text === "",
    outcome: "refused, and the mail server never saw it; to bounce it is up to the sender",
  },
  {
    title: "A message is changed on its way",
    text: ["Subject: Minutes of @@DATE@@", "", "Nobody came."],
    reply: /^250 /,
    delivered: (text) => text === `Subject: Minutes of ${date.join("-")}\r\n\r\nNobody came.\r\n`,
    outcome: "delivered with the filter's version of it",
  },
  {
    title: "A virus is refused",
    text: ["Subject: Your invoice", "", EICAR],
    reply: /^550 5\.7\.1 virus found: Eicar-Test$/,
    delivered: (text) => text === "",
    outcome: "refused, and neither the filter nor the mail server saw it",
  },
];

const server = await Server.start();
const scanner = await FakeScanner.start(CLAMD);
const port = await freePort();
const checks = [`--clamd=${scanner.address}`, "-c", `${root}examples/demo-filter`];
const words = ["-l", `127.0.0.1:${port}`, ...checks, server.operand];
const proxy = new Deno.Command(Deno.execPath(), {
  args: ["run", "--quiet", "--allow-all", "--unstable-net", `${root}main.ts`, "--foreground", "--log=stderr", ...words],
  stdin: "null",
  stdout: "piped",
}).spawn();

let failures = 0;
try {
  await waitForLine(proxy.stdout);
  console.log(`\nclient  ${dim("──")}  ${bold("postprox")} ${dim("127.0.0.1:" + port)}  ${dim("──")}  mail server`);
  console.log(`             ${dim("│")}\n        ${dim("clamd, examples/demo-filter")}`);
  for (const [at, story] of STORIES.entries()) {
    if (!await tell(at + 1, story)) failures++;
  }
} finally {
  proxy.kill("SIGTERM");
  await proxy.status;
  await server.stop();
  await scanner.stop();
}
const sum = `${STORIES.length - failures} of ${STORIES.length} messages came out right`;
console.log(`\n${failures === 0 ? green(bold(sum)) : red(bold(sum))}\n`);
Deno.exit(failures === 0 ? 0 : 1);

async function tell(number: number, story: Story): Promise<boolean> {
  console.log(`\n${bold(`${number}. ${story.title}`)}\n`);
  server.reset();
  const client = await connectTo({ port });
  const hear = async () => {
    const { text } = await client.hear();
    for (const line of text.split("\r\n")) console.log(`   ${blue("postprox")}  ${line}`);
    return text;
  };
  const say = async (lines: readonly string[]) => {
    for (const line of lines) console.log(`   ${yellow("client  ")}  ${line}`);
    await client.say(lines.map((line) => `${line}\r\n`).join(""));
    return await hear();
  };
  await hear();
  await say(["EHLO client.example"]);
  await say(["MAIL FROM:<alice@client.example>"]);
  await say(["RCPT TO:<bob@server.example>"]);
  await say(["DATA"]);
  const reply = await say([...story.text, "."]);
  await say(["QUIT"]);
  client.close();

  const delivered = server.messages.map(({ text }) => text).join("");
  const right = story.reply.test(reply) && story.delivered(delivered);
  console.log();
  const got = delivered === "" ? ["nothing"] : delivered.trimEnd().split("\r\n");
  got.forEach((line, at) => console.log(`   ${dim(at === 0 ? "mail server got" : "               ")}  ${line}`));
  console.log(`   ${right ? green("✓") : red("✗")} ${right ? story.outcome : `expected: ${story.outcome}`}`);
  return right;
}

/** Waits until a program has written a line. */
async function waitForLine(stream: ReadableStream<Uint8Array>): Promise<void> {
  const reader = stream.getReader();
  const { done } = await reader.read();
  reader.releaseLock();
  if (done) throw new Error("postprox did not start");
}
