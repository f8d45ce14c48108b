// The faults of a scanner's server, from outside and for each scanner in the same way: each fault with and without -r, and a
// client that leaves while the server is asked.

import assert from "node:assert/strict";
import { type FakeScanner, type FaultAt, FAULTS_AT } from "../fakes/scanner.ts";
import { until } from "../rig/wait.ts";
import { type Case, CONTENT, deliver, expectRecovered, type Mode, startMessage, table } from "./rig.ts";

/** A server that is there when a case is played. */
type Server = () => FakeScanner;

/** A case in which the server has this fault. */
export function faulty(server: Server, fault: FaultAt, row: Case): Case {
  return {
    ...row,
    play: async (talk) => {
      const fake = server();
      fake.fault = fault;
      try {
        await row.play(talk);
      } finally {
        fake.isHealthy();
        await fake.dropAll();
      }
    },
  };
}

export function clientLeaves(server: Server): Case {
  return faulty(server, { at: "reply", does: "silent" }, {
    name: "a client that leaves ends the question",
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      const asked = server().questions.length;
      await client.say(`${CONTENT}.\r\n`);
      await until(() => server().questions.length > asked, "the question");
      client.close();
      await until(() => server().open === 0, "the end of the connection to the scanner");
      talk.nothingPassed();
    },
  });
}

export interface Faults {
  /** The scanner's, which is its option too. */
  readonly name: string;
  readonly server: Server;
  /** A message that would be refused or changed. */
  readonly message: string;
  /** The mode in which it passes with each fault. With -r it is deferred, in the other mode. */
  readonly passesIn: Mode;
}

/** A fault is no opinion. The two modes and the two policies meet in each pair, but not for each scanner. */
export function faultTables({ name, server, message, passesIn }: Faults): void {
  // A fault that is told by time alone is over then.
  const options = () => [`--${name}=${server().address}`, "--scan-timeout=0.4"];
  const notChecked = new RegExp(`error: \\w+: message not checked reason="${name} could not tell: `);

  const passes = (fault: FaultAt): Case =>
    faulty(server, fault, {
      name: `${fault.does} at ${fault.at}: the message passes`,
      play: async (talk) => {
        const client = await talk.open();
        assert.equal((await deliver(client, message)).code, 250);
        talk.passed(message);
        // One that hangs up in place of it may not have heard the reply, and that has a line of its own, now or later.
        await client.quit();
        await talk.logged(notChecked);
        assert.equal(talk.log.match(/error:|warning:/g)?.length, 1, talk.log);
      },
    });
  table(`Faults of --${name}`, { options, modes: [passesIn] }, FAULTS_AT.map(passes));

  const isDeferred = (fault: FaultAt): Case =>
    faulty(server, fault, {
      name: `${fault.does} at ${fault.at}: the message is deferred`,
      play: async (talk) => {
        const client = await talk.open();
        const reply = await deliver(client, message);
        assert.equal(reply.raw, "451 4.3.0 Message could not be checked, try again later\r\n");
        talk.nothingPassed();
        await talk.logged(notChecked);
        server().isHealthy();
        await expectRecovered(client);
      },
    });
  const otherMode = passesIn === "spawn" ? "listen" : "spawn";
  table(
    `Faults of --${name} with -r`,
    { options: () => [...options(), "-r"], modes: [otherMode] },
    FAULTS_AT.map(isDeferred),
  );
}
