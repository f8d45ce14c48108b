// /healthz with the real scanners: it is well when all of them run, and names the one that was stopped.

import assert from "node:assert/strict";
import { ask } from "../rig/http.ts";
import { Server } from "../rig/server.ts";
import { until } from "../rig/wait.ts";
import { Clamd } from "./clamd_bed.ts";
import { Rspamd } from "./rspamd_bed.ts";
import { Spamd } from "./spamd_bed.ts";
import { freePort, Listening } from "./start.ts";

interface Stoppable {
  stop(): unknown;
}

Deno.test("/healthz asks clamd, rspamd and spamd, and says which one does not answer", async () => {
  const started = new Set<Stoppable>();
  const end = async (one: Stoppable) => {
    started.delete(one);
    await one.stop();
  };
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  Deno.mkdirSync(`${dir}/spool`);
  try {
    const clamd = await Clamd.start();
    started.add(clamd);
    const rspamd = await Rspamd.start();
    started.add(rspamd);
    const spamd = await Spamd.start();
    started.add(spamd);
    const fake = await Server.start();
    started.add(fake);
    const port = await freePort();
    const scanners = [`--clamd=${clamd.tcp}`, `--rspamd=${rspamd.normal}`, `--spamd=${spamd.address}`];
    const args = [fake.operand, "-d", `${dir}/spool`, `--log=${dir}/log`, `--metrics=${port}`, ...scanners];
    const program = await Listening.start(args);
    started.add(program);
    const health = async (status: number) => {
      let said = "nothing yet";
      return await until(async () => {
        const answer = await ask({ port }, "/healthz").catch(() => undefined);
        said = answer?.body ?? said;
        return answer?.status === status && said;
      }, () => `${status} from /healthz, which says ${said}`);
    };
    assert.equal(await health(200), "ok: mail can be taken\n");
    await end(rspamd);
    assert.match(await health(503), /^rspamd could not tell: [^\n]*refused[^\n]*\n$/);
    await end(spamd);
    await end(clamd);
    const both = /^clamd could not tell: [^\n]*\nrspamd could not tell: [^\n]*\nspamd could not tell: [^\n]*\n$/;
    await until(async () => both.test((await ask({ port }, "/healthz")).body), "all three of them");
  } finally {
    for (const one of [...started].reverse()) await end(one);
    Deno.removeSync(dir, { recursive: true });
  }
});
