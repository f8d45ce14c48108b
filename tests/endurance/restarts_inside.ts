// Runs beside a running systemd: a load of clients at 127.0.0.1:10025, and so many `systemctl restart postprox` meanwhile.
// Arguments: how often, and how many clients. Standard output gets the account as a line of JSON.

import { Server } from "../rig/server.ts";
import { until } from "../rig/wait.ts";
import { Load } from "./restarts_load.ts";

const [count = 0, clients = 0] = Deno.args.map(Number);
const server = await Server.start({ port: 10026 });
const load = new Load({ port: 10025, recipient: "alice@example.org", clients, mark: "systemd" });
for (let restart = 0; restart <= count; restart++) {
  const before = load.counts.sent;
  await until(() => load.counts.sent >= before + clients, () => `mail to pass: ${[...load.complaints.keys()]}`);
  if (restart === count) break;
  const { success, stderr } = await new Deno.Command("systemctl", { args: ["restart", "postprox"] }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
const account = await load.end(server);
await server.stop();
console.log(JSON.stringify({ ...account, complaints: [...load.complaints] }));
Deno.exit();
