// Cases from outside in which the server of a scanner has a fault, for each scanner in the same way.

import type { FakeScanner, FaultAt } from "../fakes/scanner.ts";
import { until } from "../rig/wait.ts";
import { type Case, CONTENT, startMessage } from "./rig.ts";

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
