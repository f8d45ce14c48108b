// The side of listen mode that answers `postprox reload` (reload_words.ts): it reloads, and says what has become of that.
//
// Only the user that makes the socket, and root, can connect. Root makes it before it becomes the user of --user. A connection
// has 5 s for its question, and at most 8 wait at a time. Nothing throws: without the socket mail goes on, and the log says
// that nobody gets an answer.

import { tell } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import { IoError } from "../ports/io_error.ts";
import type { Clock, Conn, Listener, Runtime } from "../ports/runtime.ts";
import { bytesOf } from "../text/octets.ts";
import { acceptNext } from "./accept.ts";
import { bind } from "./bind.ts";
import {
  formatAnswer,
  type OtherProcess,
  parseQuestion,
  readLine,
  type ReloadOutcome,
  reloadSocket,
  runtimeDirectory,
} from "./reload_words.ts";

const OWNER_ONLY = 0o600;

const CLIENTS_LIMIT = 8;

// How long a client may take for its question, and to hear the answer. In milliseconds.
const PATIENCE = 5000;

// No question is longer. In octets.
const QUESTION_LIMIT = 64;

/** Until `serve`, questions wait. */
export interface ReloadServer {
  /** Answers with the outcome of `reload`, which never throws. */
  serve(reload: () => Promise<ReloadOutcome>): void;
  /** Ends it, and removes the socket if this process may do so. */
  close(): Promise<void>;
}

/** Makes the socket. Undefined if there is no directory for it, or if it cannot be made. */
export async function openReloadServer(runtime: Runtime, logger: Logger): Promise<ReloadServer | undefined> {
  const { files, clock, pid, variable } = runtime;
  const directory = runtimeDirectory(variable);
  if (directory === undefined) return undefined;
  const path = reloadSocket(directory);
  let listener: Listener;
  try {
    if ((await files.stat(directory)).isEverybodys) throw new IoError("other", `every user can change ${directory}`);
    listener = await bind(runtime, logger, { transport: "unix", path }, OWNER_ONLY);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    tell(logger, "noReloadSocket", { why: error.message });
    return undefined;
  }
  return {
    serve: (reload) =>
      void serve({ clock, pid, reload }, listener).catch((error) => {
        tell(logger, "bug", { error });
      }),
    close: async () => {
      listener.close();
      await files.remove(path).catch((error) => {
        if (!(error instanceof IoError)) throw error;
      });
    },
  };
}

interface Serving {
  readonly clock: Clock;
  readonly pid: number;
  readonly reload: () => Promise<ReloadOutcome>;
}

async function serve(serving: Serving, listener: Listener): Promise<void> {
  let clients = 0;
  for (;;) {
    const conn = await acceptNext(listener, serving.clock);
    if (!conn) return;
    clients++;
    const answer = clients > CLIENTS_LIMIT ? tooMany : answerTo;
    void serveClient(serving, conn, answer).finally(() => clients--);
  }
}

type Answer = (serving: Serving, question: string) => Promise<ReloadOutcome | OtherProcess>;

const tooMany: Answer = async () => ({ isDone: false, why: `${CLIENTS_LIMIT} others wait for a reload: try again` });

const answerTo: Answer = async ({ pid, reload }, question) => {
  const asked = parseQuestion(question);
  if (!asked) return { isDone: false, why: "the service is of another version, and does not know what was asked" };
  return asked.pid !== undefined && asked.pid !== pid ? { pid } : await reload();
};

async function serveClient(serving: Serving, conn: Conn, answer: Answer): Promise<void> {
  const within = async <Made>(work: Promise<Made>): Promise<Made> => {
    const cancel = serving.clock.after(PATIENCE, () => conn.close());
    return await work.finally(cancel);
  };
  try {
    const question = await within(readLine(conn, QUESTION_LIMIT));
    if (question === undefined) return;
    const said = await answer(serving, question);
    await within(Promise.resolve(conn.write(bytesOf(formatAnswer(said)))));
  } catch (error) {
    // It does not want to hear the answer.
    if (!(error instanceof IoError)) throw error;
  } finally {
    conn.close();
  }
}
