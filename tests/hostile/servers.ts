// Real mail servers from Debian. Each is an instance of the test's own on 127.0.0.1, and tells which messages it took.
//
//     Postfix            the after-filter server of the end-to-end tests, as trusting as Postfix was before 2023
//     aiosmtpd           as Debian has it, and with its reader as it was before CVE-2024-27305
//     Exim, OpenSMTPD    unpacked beside Postfix, because they cannot be installed with it
//
// If a server cannot be had, the error says what to install. Needs root. `stop` leaves nothing behind.

import { fromFileUrl } from "../e2e/paths.ts";
import { createPostfix, filesBelow, readOctets } from "../e2e/postfix.ts";
import { afterFilter } from "../e2e/postfix_config.ts";
import { kill, runCommand } from "../e2e/start.ts";
import { until, within } from "../rig/wait.ts";
import { freePort } from "../rig/ports.ts";
import type { RealServer } from "./real_server.ts";
import { startExim, startOpensmtpd } from "./unpacked_servers.ts";

export const SERVERS = {
  "Postfix": startPostfix,
  "aiosmtpd": () => startAiosmtpd("aiosmtpd", []),
  "aiosmtpd before CVE-2024-27305": () => startAiosmtpd("aiosmtpd before CVE-2024-27305", ["--lf"]),
  "Exim": startExim,
  "OpenSMTPD": startOpensmtpd,
} satisfies Record<string, () => Promise<RealServer>>;

export type ServerName = keyof typeof SERVERS;

async function startPostfix(): Promise<RealServer> {
  const postfix = createPostfix();
  const port = await freePort();
  try {
    await postfix.start([afterFilter(port)]);
  } catch (error) {
    await postfix.stop();
    throw error;
  }
  return {
    name: "Postfix",
    port,
    verbatim: false,
    taken: async () => {
      if (/smtpd\[\d+\]: connect from/.test(postfix.log())) await postfix.settledLog(0);
      return filesBelow(`${postfix.dir}/mail`).map(readOctets)
        .map((text) => ({ sender: /^Return-Path: <(.*)>$/m.exec(text)?.[1] ?? "", text }));
    },
    stop: () => postfix.stop(),
  };
}

async function startAiosmtpd(name: string, options: readonly string[]): Promise<RealServer> {
  const script = fromFileUrl(new URL("./counting_server.py", import.meta.url));
  // Debian's own Python: only that one finds Debian's packages.
  const child = new Deno.Command("/usr/bin/python3", {
    args: [script, ...options],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let said = "";
  let complaint = "";
  const follow = async (pipe: ReadableStream<Uint8Array>, take: (text: string) => void) => {
    for await (const text of pipe.pipeThrough(new TextDecoderStream())) take(text);
  };
  void follow(child.stdout, (text) => said += text);
  void follow(child.stderr, (text) => complaint += text);
  let ended = false;
  void child.status.then(() => ended = true);
  await until(() => ended || /^port \d+\n/.test(said), () => "counting_server.py");
  if (ended) throw new Error(complaint.trim());
  return {
    name,
    port: Number(/^port (\d+)/.exec(said)![1]),
    verbatim: true,
    taken: async () => {
      const lines = said.split("\n").slice(1, -1).map((line) =>
        JSON.parse(line) as { sender: string; content: string }
      );
      return lines.map(({ sender, content }) => ({ sender, text: content }));
    },
    stop: async () => {
      await child.stdin.close();
      await within(child.status, () => "the end of counting_server.py").finally(() => kill(child.pid));
    },
  };
}

const PACKAGES: Record<ServerName, string> = {
  "Postfix": "postfix",
  "aiosmtpd": "python3-aiosmtpd",
  "aiosmtpd before CVE-2024-27305": "python3-aiosmtpd",
  "Exim": "exim4-daemon-light",
  "OpenSMTPD": "opensmtpd",
};

/** The version of a server's Debian package. */
export async function versionOf(name: ServerName): Promise<string> {
  const { stdout } = await runCommand(["apt-cache", "show", "--no-all-versions", PACKAGES[name]]);
  return /^Version: (.*)$/m.exec(stdout)?.[1] ?? "unknown";
}
