// A headless Chromium, driven by its DevTools protocol.
//
// It has a profile of its own, which is removed. It ends when it is closed, and so do its own processes. It keeps what the
// console says, failed requests and broken policies of the page in `complaints`.

import { until, within } from "./wait.ts";

export interface View {
  readonly width: number;
  readonly height: number;
  readonly scheme: "light" | "dark";
}

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

export class Browser {
  /** What went wrong in the page, as text. */
  readonly complaints: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #profile: string;
  #socket: WebSocket | undefined;
  #last = 0;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #heard = new Map<string, () => void>();

  static async start(): Promise<Browser> {
    const browser = new Browser();
    try {
      await browser.#connect();
    } catch (error) {
      await browser.close();
      throw error;
    }
    return browser;
  }

  private constructor() {
    this.#profile = Deno.makeTempDirSync({ prefix: "browser_" });
    this.#child = new Deno.Command("chromium", {
      args: [
        "--headless",
        // Its sandbox does not start as root, and not in many containers.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-extensions",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-breakpad",
        "--no-first-run",
        "--hide-scrollbars",
        "--remote-debugging-port=0",
        `--user-data-dir=${this.#profile}`,
        "about:blank",
      ],
      env: { HOME: this.#profile },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  async #connect(): Promise<void> {
    const port = await until(() => {
      try {
        // Chromium makes the file first, and then writes to it.
        return /^([0-9]+)\n/.exec(Deno.readTextFileSync(`${this.#profile}/DevToolsActivePort`))?.[1];
      } catch {
        return undefined;
      }
    }, "the port of Chromium");
    const pages = await until(async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/json/list`);
      const list = await answer.json() as { type: string; webSocketDebuggerUrl: string }[];
      return list.find(({ type }) => type === "page");
    }, "a page of Chromium");
    const socket = new WebSocket(pages.webSocketDebuggerUrl);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    await within(new Promise((resolve) => socket.onopen = resolve), "Chromium to answer");
    for (const domain of ["Page", "Runtime", "Log", "Network", "Audits"]) await this.#ask(`${domain}.enable`);
  }

  /** Sets the size of the window and the colours that the user prefers. */
  async view({ width, height, scheme }: View): Promise<void> {
    await this.#ask("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 });
    await this.#ask("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
  }

  /** Opens a page, and returns when it has loaded. */
  async open(url: string): Promise<void> {
    const loaded = this.loaded();
    const { errorText } = await this.#ask("Page.navigate", { url });
    if (errorText) throw new Error(`Chromium cannot open ${url}: ${errorText}`);
    await loaded;
  }

  /** Returns when the page has loaded the next time. */
  loaded(): Promise<void> {
    return within(new Promise<void>((resolve) => this.#heard.set("Page.loadEventFired", resolve)), "the page to load");
  }

  /** The value of an expression in the page. It must survive JSON. */
  async ask<T>(expression: string): Promise<T> {
    const answer = await this.#ask("Runtime.evaluate", { expression, returnByValue: true });
    const { result, exceptionDetails } = answer as { result: { value: T }; exceptionDetails?: { text: string } };
    if (exceptionDetails) throw new Error(`${exceptionDetails.text}: ${expression}`);
    return result.value;
  }

  /** What a screen reader sees: the role and the name of each thing, in their order. */
  async accessible(): Promise<{ role: string; name: string }[]> {
    const { nodes } = await this.#ask("Accessibility.getFullAXTree");
    type Node = { ignored: boolean; role?: { value: string }; name?: { value: string } };
    return (nodes as Node[]).filter(({ ignored }) => !ignored)
      .map(({ role, name }) => ({ role: role?.value ?? "", name: name?.value ?? "" }));
  }

  /** The whole page as a PNG, whatever the height of the window. */
  async screenshot(): Promise<Uint8Array> {
    const { data } = await this.#ask("Page.captureScreenshot", { format: "png", captureBeyondViewport: true });
    return Uint8Array.from(atob(data as string), (character) => character.charCodeAt(0));
  }

  async close(): Promise<void> {
    if (this.#socket) {
      const closed = new Promise((resolve) => this.#socket!.onclose = resolve);
      this.#ask("Browser.close").catch(() => {});
      await within(closed, "Chromium to close");
    } else {
      this.#child.kill();
    }
    await within(this.#child.status, "Chromium to end");
    // One of its processes may still write there.
    await until(() => {
      try {
        Deno.removeSync(this.#profile, { recursive: true });
        return true;
      } catch (error) {
        return error instanceof Deno.errors.NotFound;
      }
    }, "Chromium to let go of its profile");
  }

  #ask(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = ++this.#last;
    const answer = new Promise<Record<string, unknown>>((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        if (error) reject(new Error(`${method}: ${error.message}`));
        else resolve(result ?? {});
      });
    });
    this.#socket!.send(JSON.stringify({ id, method, params }));
    return within(answer, `Chromium to do ${method}`);
  }

  #take(answer: Answer): void {
    const { id, method, params } = answer;
    if (id !== undefined) {
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
      return;
    }
    if (method === undefined) return;
    this.#heard.get(method)?.();
    this.#heard.delete(method);
    if (COMPLAINTS.includes(method)) this.complaints.push(`${method} ${JSON.stringify(params)}`);
  }
}

const COMPLAINTS = [
  "Audits.issueAdded",
  "Log.entryAdded",
  "Network.loadingFailed",
  "Page.javascriptDialogOpening",
  "Runtime.consoleAPICalled",
  "Runtime.exceptionThrown",
];
