// The little of Bun's API that the bare programs use. Undefined on Deno.
//
// The programs in this folder are the least that a runtime can do of postprox's work. What they cost is a bound for postprox.
// They run on Deno and on Bun. None of them is for mail: nothing has a limit, and nothing survives an error.

export interface BunSocket<Data> {
  data: Data;
  write(octets: Uint8Array): number;
  end(): void;
}

export interface SocketHandlers<Data> {
  open?(socket: BunSocket<Data>): void;
  data(socket: BunSocket<Data>, octets: Uint8Array): void;
  close?(socket: BunSocket<Data>): void;
  error?(): void;
}

export interface BunApi {
  spawn(words: readonly string[], options: {
    readonly stdio: readonly ["ignore", "ignore", "ignore" | "pipe"];
    readonly detached?: boolean;
  }): { readonly exited: Promise<number>; readonly stderr: ReadableStream<Uint8Array> };
  listen<Data>(options: Place & { readonly socket: SocketHandlers<Data> }): unknown;
  connect<Data>(
    options: (Place | { readonly fd: number } | { readonly unix: string }) & {
      readonly data: Data;
      readonly socket: SocketHandlers<Data>;
    },
  ): Promise<
    BunSocket<Data>
  >;
}

interface Place {
  readonly hostname: string;
  readonly port: number;
}

export const bun = (globalThis as { Bun?: BunApi }).Bun;
export const hostname = "127.0.0.1";
