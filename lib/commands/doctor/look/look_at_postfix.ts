// Asks postconf(1) for the configuration of Postfix: of the instance that MAIL_CONFIG names, or of the default one.

import { IoError } from "../../../ports/io_error.ts";
import type { Clock, Files, Processes } from "../../../ports/runtime.ts";
import { readTextFile } from "../../../ports/small_file.ts";
import type { NoPostfix } from "../facts.ts";
import { parseServices, Postfix } from "../postfix.ts";
import { type Ran, runWords } from "./run_words.ts";

interface Ports {
  readonly clock: Clock;
  readonly files: Pick<Files, "open">;
  readonly processes: Pick<Processes, "startTalking">;
}

const NOT_FOUND = 127;

// The search path of other users than root has no sbin.
const POSTCONF = 'PATH="$PATH:/usr/sbin:/usr/local/sbin" LC_ALL=C; export PATH LC_ALL; exec postconf "$@"';

export async function lookAtPostfix(ports: Ports): Promise<Postfix | NoPostfix> {
  let main = await postconf(ports, "-x");
  if (main.status === NOT_FOUND) return { isAbsent: true, why: "there is no postconf(1)" };
  // Postfix before 2.10 has no -x, and before 2.11 no -P.
  if (main.status !== 0) main = await postconf(ports);
  if (main.status !== 0) return unread(main);
  const master = await postconf(ports, "-M");
  if (master.status !== 0) return unread(master);
  const own = await postconf(ports, "-xP");
  const directory = /^config_directory = (.*)$/m.exec(main.stdout)?.[1] ?? "/etc/postfix";
  return new Postfix({
    main: main.stdout,
    master: master.stdout,
    own: own.status === 0 ? own.stdout : undefined,
    services: parseServices(await textOrNothing(ports.files, "/etc/services") ?? ""),
    mainFile: await textOrNothing(ports.files, `${directory}/main.cf`),
    masterFile: await textOrNothing(ports.files, `${directory}/master.cf`),
  });
}

function postconf(ports: Ports, ...options: readonly string[]): Promise<Ran> {
  return runWords(ports, ["/bin/sh", "-c", POSTCONF, "postconf", ...options]);
}

function unread({ stderr, status }: Ran): NoPostfix {
  const lines = stderr.split("\n").filter((line) => line !== "" && !/: warning: /.test(line));
  const why = lines.at(-1) ?? `postconf ended with status ${status}`;
  // A file that is closed or not there yet is no mistake.
  return { isAbsent: false, isBroken: /: fatal: /.test(why) && !/: fatal: open /.test(why), why };
}

async function textOrNothing(files: Pick<Files, "open">, path: string): Promise<string | undefined> {
  try {
    return await readTextFile(files, path);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return undefined;
  }
}
