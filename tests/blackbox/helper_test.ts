// Programs that stay (--helper), from outside: what they are asked, what their answers do, and what becomes of their processes.
//
// The helper is a shell script, so that it needs nothing installed.

import assert from "node:assert/strict";
import { freePort, isAlive, Listening, runProgram } from "../e2e/start.ts";
import { until } from "../rig/wait.ts";
import { Server } from "../rig/server.ts";
import { assertCode, deliver, type Setup, table, type Talk } from "./rig.ts";

// The message says what the helper does. The processes that it leaves running in its group must go with it.
const SCRIPT = `
sleep 1000 &
echo $! >>"$D/sleepers"
echo $$ >>"$D/helpers"
while read -r line; do
  printf '%s\\n' "$line" >>"$D/asked"
  id=\${line#*:}; id=\${id%%,*}
  email=\${line#*'"email":"'}; email=\${email%%'"'*}
  outfile=\${line#*'"outfile":"'}; outfile=\${outfile%%'"'*}
  answer='"exit":0'
  case $(cat "$email") in
    *REJECT*) answer='"exit":1,"text":"550 5.7.1 no"' ;;
    *CHANGE*) { echo "X-Helper: was here"; cat "$email"; } >"$outfile" ;;
    *SPOIL*) echo more >>"$email" ;;
    *END*) echo "last words" >&2; exit 3 ;;
    *HANG*) sleep 1000 ;;
    *OTHER*) id=999 ;;
    *NONSENSE*) echo nonsense; continue ;;
  esac
  echo "{\\"id\\":$id,$answer}"
done
`;

// Cases find the directory of their test empty; this one outlives them.
let place = "";

const setup: Setup = {
  modes: ["listen"],
  options: () => [`--helper=sh ${place}/helper`, "--helpers=1", "-t", "2", "-r", "-v"],
  around: async (play) => {
    place = Deno.makeTempDirSync({ prefix: "postprox_helper_" });
    try {
      Deno.writeTextFileSync(`${place}/helper`, `D=${place}\n${SCRIPT}`);
      await play();
    } finally {
      Deno.removeSync(place, { recursive: true });
    }
  },
};

const message = (text: string) => `Subject: test\r\n\r\n${text}\r\n`;

/** The process ids in a file, which is there once the first one has come. */
function pids(name: string): number[] {
  return Deno.readTextFileSync(`${place}/${name}`).trim().split("\n").map(Number);
}

/** The helper that runs now, and what it has started, are other ones than `before`, which have ended. */
async function isNew(before: readonly number[]): Promise<void> {
  await until(() => before.every((pid) => !isAlive(pid)), () => `the end of ${before}`);
  await until(() => pids("helpers").length > before.length / 2, () => "a new helper");
}

const failing = ["END", "HANG", "OTHER", "NONSENSE"].map((deed) => ({
  name: `a helper that fails (${deed}) is ended with its group and started again, and the message gets 451`,
  play: async (talk: Talk) => {
    const client = await talk.open();
    // Its record is clean, so that it is started again at once.
    assertCode(await deliver(client, message("fine")), 250);
    const before = [...pids("helpers"), ...pids("sleepers")];
    assertCode(await deliver(client, message(deed)), 451);
    await talk.logged(/helper failed and is started again reason=/);
    await talk.logged(/message not checked .*helper/);
    await isNew(before);
    assertCode(await deliver(client, message("fine")), 250);
  },
}));

table("Helpers", setup, [
  {
    name: "a helper is asked in JSON, and values are whole",
    play: async (talk) => {
      const client = await talk.open();
      const to = Array.from({ length: 30 }, (_, number) => `${"r".repeat(60)}${number}@example.org`);
      assertCode(await deliver(client, message("fine"), { from: "", to }), 250);
      const { id, email, outfile, ...others } = JSON.parse(Deno.readTextFileSync(`${place}/asked`));
      assert.equal(typeof id, "number");
      assert.ok(email.startsWith(`${talk.spool}/`) && outfile.startsWith(`${talk.spool}/`), `${email} ${outfile}`);
      assert.deepEqual(others, { sender: "<>", recipients: to, remoteip: "", helo: "", size: 20 });
    },
  },
  {
    name: "one program answers for many messages",
    play: async (talk) => {
      const client = await talk.open();
      for (let count = 0; count < 5; count++) assertCode(await deliver(client, message("fine")), 250);
      assert.equal((await deliver(client, message("REJECT"))).raw, "550 5.7.1 no\r\n");
      assert.equal(pids("helpers").length, 1);
      assert.equal(talk.downstream.messages.length, 5);
    },
  },
  {
    name: "what it leaves in OUTFILE is delivered",
    play: async (talk) => {
      const client = await talk.open();
      assertCode(await deliver(client, message("CHANGE")), 250);
      talk.passed(`X-Helper: was here\r\n${message("CHANGE")}`);
    },
  },
  {
    name: "a message that it spoils is not delivered",
    play: async (talk) => {
      const client = await talk.open();
      assertCode(await deliver(client, message("SPOIL")), 451);
      talk.nothingPassed();
    },
  },
  ...failing,
]);

Deno.test("the end of the program ends its helpers, and what they left in their groups", async () => {
  const fake = await Server.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  try {
    Deno.writeTextFileSync(`${dir}/helper`, `D=${dir}\n${SCRIPT}`);
    const options = [`--helper=sh ${dir}/helper`, "--helpers=3", "-d", dir, `--log=${dir}/log`];
    const program = await Listening.start([fake.operand, ...options]);
    const started = () =>
      ["helpers", "sleepers"].flatMap((name) => {
        try {
          return Deno.readTextFileSync(`${dir}/${name}`).trim().split("\n").map(Number);
        } catch {
          return [];
        }
      });
    await until(() => started().length === 6, () => "three helpers");
    assert.ok(started().every(isAlive));
    await program.stop();
    await until(() => !started().some(isAlive), () => "the end of the helpers");
  } finally {
    await fake.stop();
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("--helper is for listen mode, and says so", async () => {
  const operand = `127.0.0.1:${await freePort()}`;
  const { status, stderr } = await runProgram([operand, "--helper=true"]);
  assert.equal(status, 64);
  assert.match(stderr, /^postprox: option --helper: .*give -l as well, or -c instead\n$/);
});
