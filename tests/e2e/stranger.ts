// The stranger on the network, who sends mail to a real Postfix.
//
// It speaks from 127.0.0.2, so that a log which names the original client cannot do so by accident.

import { type Client, connectTo, type Mail, type Replies } from "../rig/client.ts";

export const CLIENT_ADDRESS = "127.0.0.2";

/** The name that it gives in its EHLO. */
export const CLIENT_NAME = "stranger.example";

/** A connection to 127.0.0.1:port whose greeting was not read yet. */
export function connect(port: number): Promise<Client> {
  return connectTo({ port, localAddress: CLIENT_ADDRESS });
}

/** A connection that was greeted and has said EHLO. */
export async function greet(port: number): Promise<Client> {
  const client = await connect(port);
  try {
    await client.expect(220);
    await client.expect(250, `EHLO ${CLIENT_NAME}`);
    return client;
  } catch (error) {
    client.close();
    throw error;
  }
}

/** One message on a connection of its own. */
export async function sendMail(port: number, mail: Mail): Promise<Replies> {
  const client = await greet(port);
  try {
    const replies = await client.send(mail);
    await client.quit();
    return replies;
  } finally {
    client.close();
  }
}
