// Runs beside a running systemd, with postprox at 127.0.0.1:10025: a load of clients, and so many `systemctl restart postprox`
// meanwhile. Arguments: how often, how many clients, and "direct" or "Postfix": they send to postprox, or to a real Postfix
// that has postprox as its smtpd_proxy_filter. Standard output gets the account as a line of JSON.

import { createPostfix } from "../e2e/postfix.ts";
import { DOMAIN } from "../e2e/postfix_config.ts";
import { Server } from "../rig/server.ts";
import { until } from "../rig/wait.ts";
import { FRONT_PORT, startFront } from "./restarts_front.ts";
import { Load } from "./restarts_load.ts";

const PROXY_PORT = 10025;

const [count = 0, clients = 0] = Deno.args.map(Number);
const postfix = Deno.args[2] === "Postfix" ? createPostfix() : undefined;
let account;
try {
  if (postfix) await startFront(postfix, { port: FRONT_PORT, proxyPort: PROXY_PORT });
  const server = await Server.start({ port: 10026 });
  const port = postfix ? FRONT_PORT : PROXY_PORT;
  const load = new Load({ port, recipient: `alice@${DOMAIN}`, clients, mark: "systemd" });
  for (let restart = 0; restart <= count; restart++) {
    const before = load.counts.sent;
    await until(() => load.counts.sent >= before + clients, () => `mail to pass: ${[...load.complaints.keys()]}`);
    if (restart === count) break;
    const { success, stderr } = await new Deno.Command("systemctl", { args: ["restart", "postprox"] }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  }
  account = { ...await load.end(server), complaints: [...load.complaints] };
  await server.stop();
} finally {
  await postfix?.stop();
}
console.log(JSON.stringify(account));
Deno.exit();
