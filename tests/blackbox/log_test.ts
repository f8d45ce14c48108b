// The log: where it goes, what it says, and that no stranger can forge a line. The client's socket gets SMTP only.

import assert from "node:assert/strict";
import { freePort, kill, runProgram, Spawner } from "../e2e/start.ts";
import { programWords } from "../e2e/program.ts";
import { until, within } from "../rig/wait.ts";
import { Server } from "../rig/server.ts";
import { CONTENT, deliver, read, table, type Talk } from "./rig.ts";

function lines(talk: Talk): string[] {
  return talk.log.split("\n").filter((line) => line !== "");
}

table("Without -v", { filter: true }, [
  {
    name: "a message that passes is no event",
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client);
      await client.expect(221, "QUIT");
      await client.expectEnd();
      // The line of the start may come as late as this.
      assert.deepEqual(lines(talk).filter((line) => !/: notice: listening /.test(line)), []);
    },
  },
  {
    name: "a filter that fails is an error, with its status",
    filter: "echo something is broken >&2; exit 77",
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client);
      await talk.logged(/77/);
    },
  },
  {
    name: "a filter that is killed is an error, with its signal",
    filter: "kill -SEGV $$",
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client);
      await talk.logged(/SEGV|signal|11/);
    },
  },
]);

table("Downstream that cannot be reached", { operand: () => "127.0.0.1:1" }, [
  {
    name: "is an error, which names it",
    play: async (talk) => {
      const client = await talk.connect();
      await client.expect(421);
      await talk.logged(/127\.0\.0\.1:1\b/);
    },
  },
]);

table("With -v", { filter: true, options: () => ["-v"] }, [
  {
    name: "one line for a message that passes, which tells all",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "XFORWARD NAME=spike.example ADDR=192.0.2.7 HELO=helo.example");
      await deliver(client, CONTENT, { from: "log@example.org", to: ["r1@example.net", "r2@example.net"] });
      await client.expect(221, "QUIT");
      await client.expectEnd();
      await talk.logged(/log@example\.org/);
      const about = lines(talk).filter((line) => line.includes("log@example.org"));
      assert.equal(about.length, 1, talk.log);
      for (
        const word of ["192.0.2.7", "spike.example", "helo.example", "r1@example.net", "2", "250 2.0.0 queued as 4711"]
      ) {
        assert.ok(about[0]!.includes(word), `${word} in ${about[0]}`);
      }
      assert.match(about[0]!, /\bsize=\d+/);
    },
  },
  {
    name: "one line for a message that is refused, with the reason",
    filter: "echo 550 5.7.1 a virus >&2; exit 1",
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client, CONTENT, { from: "refused@example.org" });
      await talk.logged(/refused@example\.org/);
      const about = lines(talk).filter((line) => line.includes("refused@example.org"));
      assert.equal(about.length, 1, talk.log);
      assert.match(about[0]!, /reject/i);
      assert.ok(about[0]!.includes("5.7.1 a virus"), about[0]);
    },
  },
  {
    name: "two messages are two lines",
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client, CONTENT, { from: "one@example.org" });
      await deliver(client, CONTENT, { from: "two@example.org" });
      await talk.logged(/two@example\.org/);
      assert.equal(lines(talk).filter((line) => /one@example|two@example/.test(line)).length, 2, talk.log);
    },
  },
  {
    name: "hostile bytes are escaped, and no line can be forged",
    filter: "printf '550 5.7.1 a\\rpostprox[1]: forged by the filter\\033[31m' >&2; exit 1",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "XFORWARD NAME=x+0Aforged+20by+20name HELO=a+0D+0Aforged+20by+20helo+1B[31m");
      await deliver(client, CONTENT, { from: 'a\x1b[31m\x07\x80\xff\x9b b=c "d" e%s%n' });
      await talk.logged(/MAIL|sender|from/i);
      await until(() => lines(talk).length > 0, () => "a line");
      assert.ok(!lines(talk).some((line) => /^(forged|postprox\[1\])/.test(line)), talk.log);
      // deno-lint-ignore no-control-regex
      assert.ok(!/[\x00-\x09\x0b-\x1f\x7f]/.test(talk.log), "control bytes");
      const raw = read(talk.logFile);
      assert.ok(!/[\x80-\x9f]/.test(raw), "C1 control bytes");
    },
  },
  {
    name: "an equals sign or a blank in an address makes no new field",
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client, CONTENT, { from: "x verdict=forged@example.org" });
      await talk.logged(/forged@example\.org/);
      const line = lines(talk).find((one) => one.includes("forged@example.org"))!;
      assert.ok(!/(^| )verdict=forged@/.test(line) || /"[^"]*verdict=forged@[^"]*"/.test(line), line);
    },
  },
  {
    name: "downstream's hostile reply cannot forge a line either",
    script: { ".": "550-no\r\n550 no \x1b[31m\x80 forged" },
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client, CONTENT, { from: "reply@example.org" });
      await talk.logged(/reply@example\.org/);
      // deno-lint-ignore no-control-regex
      assert.ok(!/[\x00-\x09\x0b-\x1f\x7f]/.test(talk.log), talk.log);
      assert.equal(lines(talk).filter((line) => line.includes("forged")).length <= 1, true);
    },
  },
  {
    name: "a very long address makes no endless line",
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client, CONTENT, { from: `${"x".repeat(1500)}@example.org` });
      await talk.logged(/xxxx/);
      for (const line of lines(talk)) assert.ok(line.length < 4000, `${line.length} characters`);
    },
  },
]);

/** The objects in the log, each from a line of its own. */
function objects(talk: Talk): Record<string, unknown>[] {
  return lines(talk).map((line) => JSON.parse(line));
}

table("With --log-format=json", { filter: true, options: () => ["-vv", "--log-format=json"] }, [
  {
    name: "each line is an object, and a message has its fields, numbers as numbers",
    filter: "echo 550 5.7.1 a virus >&2; exit 1",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "XFORWARD NAME=spike.example ADDR=192.0.2.7 HELO=helo.example");
      await deliver(client, CONTENT, { from: "json@example.org", to: ["r1@example.net", "r2@example.net"] });
      await client.expect(221, "QUIT");
      await client.expectEnd();
      await talk.logged(/"said":"QUIT"/);
      const all = objects(talk);
      for (const { time, level, pid, event } of all) {
        assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
        assert.ok(["notice", "info", "debug"].includes(String(level)), String(level));
        assert.equal(typeof pid, "number");
        assert.ok(typeof event === "string" && event !== "");
      }
      const { session, size, filter_ms, reply, nrcpt, ...message } = all.find(({ event }) => event === "message")!;
      assert.match(String(session), /^[^: ]+$/);
      assert.ok(typeof size === "number" && size > 0 && typeof filter_ms === "number");
      assert.equal(nrcpt, 2);
      assert.equal(reply, "550 5.7.1 a virus");
      const { verdict, check, client: from, to } = message;
      assert.deepEqual({ verdict, check, from, to }, {
        verdict: "reject",
        check: "command",
        from: "spike.example[192.0.2.7]",
        to: "<r1@example.net>,<r2@example.net>",
      });
      assert.ok(
        all.some(({ event, said, session: one }) => event === "dialogue" && said === "QUIT" && one === session),
      );
    },
  },
  {
    name: "hostile octets are values, and no line can be forged",
    filter: `printf '550 5.7.1 a\\r{"forged":1}\\033[31m' >&2; exit 1`,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, 'XFORWARD NAME=x+0A{"forged":2} HELO=a+0D+0A"}+1B[31m');
      await deliver(client, CONTENT, { from: 'a\x1b[31m\x07\x80\xff\x9b b=c "d" e%s%n' });
      await talk.logged(/"event":"message"/);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(talk.log, /[\x00-\x09\x0b-\x1f\x7f]/);
      assert.doesNotMatch(read(talk.logFile), /\xc2[\x80-\x9f]/);
      assert.ok(objects(talk).every((one) => !("forged" in one)), talk.log);
      const { from } = objects(talk).find(({ event }) => event === "message")!;
      // deno-lint-ignore no-control-regex
      assert.match(String(from), /^<a\x1b\[31m\x07.*b=c "d" e%s%n>$/);
    },
  },
  {
    name: "a filter that fails is an error",
    filter: "echo something is broken >&2; exit 77",
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client);
      await talk.logged(/"level":"error"/);
      const { event, message, reason } = objects(talk).find(({ level }) => level === "error")!;
      assert.deepEqual([event, message], ["message not checked", "passed"]);
      assert.match(String(reason), /exit status 77: something is broken/);
    },
  },
]);

table("With -vv", { filter: true, options: () => ["-vv"] }, [
  {
    name: "the dialogue is in the log, and nothing of it on the socket",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "NOOP a-noop-to-look-for");
      await deliver(client);
      await talk.logged(/a-noop-to-look-for/);
      assert.equal(client.unheard, "");
      await client.expect(221, "QUIT");
      await client.expectEnd();
    },
  },
]);

Deno.test("Where the log goes", async (test) => {
  const fake = await Server.start();
  const spawner = await Spawner.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  const session = async (args: readonly string[]) => {
    await spawner.use([fake.operand, "-d", dir, "-v", "-c", "exit 3", ...args]);
    const { client, process } = await spawner.connect();
    await client.expect(220);
    assert.equal((await deliver(client)).code, 250);
    await client.expect(221, "QUIT");
    await client.expectEnd();
    client.close();
    assert.equal(await within(process.ended, () => "the end of the program"), 0);
  };
  try {
    await test.step("a file is appended to", async () => {
      Deno.writeTextFileSync(`${dir}/kept`, "an older line\n");
      await session([`--log=${dir}/kept`]);
      assert.match(Deno.readTextFileSync(`${dir}/kept`), /^an older line\n[^]+sender@example\.org/);
    });
    await test.step("syslog:SOCKET gets datagrams of facility mail, each with postprox[PID]", async () => {
      const socket = Deno.listenDatagram({ transport: "unixpacket", path: `${dir}/syslog` });
      const received: string[] = [];
      const reading = (async () => {
        for await (const [data] of socket) received.push(new TextDecoder().decode(data));
      })().catch(() => {});
      await session([`--log=syslog:${dir}/syslog`]);
      await until(() => received.some((line) => line.includes("sender@example.org")), () => `a line in ${received}`);
      socket.close();
      await reading;
      for (const line of received) {
        const priority = Number(/^<([0-9]+)>/.exec(line)?.[1]);
        assert.equal(priority >> 3, 2, line);
        assert.match(line, /postprox\[[0-9]+\]:/);
        assert.ok(!line.includes("\n"), line);
      }
      // The failed filter is an error or a warning; the message's line is not.
      assert.ok(received.some((line) => (Number(/^<([0-9]+)>/.exec(line)![1]) & 7) <= 4), String(received));
    });
    await test.step("syslog gets JSON with its own head before it", async () => {
      const socket = Deno.listenDatagram({ transport: "unixpacket", path: `${dir}/json` });
      const received: string[] = [];
      const reading = (async () => {
        for await (const [data] of socket) received.push(new TextDecoder().decode(data));
      })().catch(() => {});
      await session([`--log=syslog:${dir}/json`, "--log-format=json"]);
      await until(() => received.some((line) => line.includes("sender@example.org")), () => `a line in ${received}`);
      socket.close();
      await reading;
      const objects = received.map((line) => {
        const [, priority, pid, json = ""] = /^<([0-9]+)>[^{]* postprox\[([0-9]+)\]: (\{.*\})$/.exec(line) ?? [];
        const object = JSON.parse(json);
        assert.equal(object.pid, Number(pid));
        assert.equal(Number(priority), object.level === "error" ? 19 : 22, line);
        assert.equal(object.time, undefined);
        return object;
      });
      assert.ok(objects.some(({ event }) => event === "message not checked"));
      assert.ok(objects.some(({ event, size }) => event === "message" && typeof size === "number"));
    });
    await test.step("a syslog socket that is a stream gets each line with a NUL after it", async () => {
      const listener = Deno.listen({ transport: "unix", path: `${dir}/stream` });
      let received = "";
      const reading = (async () => {
        for await (const conn of listener) received += await new Response(conn.readable).text();
      })().catch(() => {});
      await session([`--log=syslog:${dir}/stream`]);
      await until(() => received.includes("sender@example.org"), () => `a line in ${received}`);
      listener.close();
      await reading;
      // The failed filter has a word for its level, and the message's line none.
      const lines = received.split("\0");
      assert.equal(lines.pop(), "");
      assert.ok(lines.every((line) => /^<[0-9]+>[^\n]* postprox\[[0-9]+\]: /.test(line)), received);
      assert.ok(lines.some((line) => /^<19>.*\]: error: \w+: message not checked /.test(line)), received);
      assert.ok(lines.some((line) => /^<22>.*\]: \w+: message verdict=/.test(line)), received);
    });
    await test.step("a syslog socket that is not there disturbs nobody", () =>
      session([`--log=syslog:${dir}/nowhere`]));
    await test.step("syslog without a word disturbs nobody", () => session([]));
    for (const verbose of ["-v", "-vv"]) {
      await test.step(`--log=stderr with ${verbose}, where standard error is the client's socket: SMTP only`, async () => {
        await spawner.use([fake.operand, "-d", dir, "-c", "exit 3", "--log=stderr", verbose]);
        const { client } = await spawner.connect();
        await client.say(`NOOP\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n${CONTENT}.\r\nQUIT\r\n`);
        // The program may also refuse to run like this.
        const said = await client.end();
        if (!/^421 4\.3\.5 [^\r\n]*\r\n$/.test(said)) {
          assert.deepEqual(said.match(/^[0-9]{3}(?= )/gm), ["220", "250", "250", "250", "354", "250", "221"], said);
          assert.equal(said.match(/\n/g)!.length, 7, said);
        }
        client.close();
      });
    }
    await test.step("the runtime's last words at a crash do not go to the client", async () => {
      await spawner.use([fake.operand, "-d", dir]);
      const { client, process } = await spawner.connect();
      await client.expect(220);
      kill(process.pid, "SIGABRT");
      assert.equal(await client.end(), "");
      client.close();
      await within(process.ended, () => "the end of the program");
    });
    await test.step("--log-format=json on standard error: of listen mode, and of check", async () => {
      const [command, ...words] = programWords();
      const child = new Deno.Command(command!, {
        args: [
          ...words,
          ...[fake.operand, "-d", dir, "-c", "exit 3", "--log=stderr", "--log-format=json"],
          ...["--foreground", "-l", `127.0.0.1:${await freePort()}`],
        ],
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const reader = child.stdout.getReader();
      await within(reader.read(), () => "the line that says it is ready");
      kill(child.pid, "SIGTERM");
      const said = await new Response(child.stderr).text();
      await reader.cancel();
      assert.equal((await child.status).code, 0);
      const [listening] = said.trimEnd().split("\n").map((line) => JSON.parse(line));
      assert.deepEqual([listening.event, listening.level, listening.filter], ["listening", "notice", "exit 3"]);
      assert.match(listening.time, /Z$/);
      Deno.writeTextFileSync(`${dir}/mail.eml`, "Subject: bad\n\nx\n");
      Deno.writeTextFileSync(`${dir}/filter_rules`, "^subject: bad\n");
      const rules = ["--log-format=json", `--filter-rules=${dir}/filter_rules`];
      const checked = await runProgram(["check", "-d", dir, ...rules, `${dir}/mail.eml`]);
      const { event, level, text } = JSON.parse(
        checked.stderr.split("\n").find((line) => line.startsWith("{")) ?? "{}",
      );
      assert.deepEqual([event, level], ["notice", "warning"], checked.stderr);
      assert.match(text, /^Rejecting message with content: Subject: bad/);
    });
    await test.step("a full disk under the log disturbs nobody", () => session(["--log=/dev/full"]));
  } finally {
    await spawner.stop();
    await fake.stop();
    Deno.removeSync(dir, { recursive: true });
  }
});
