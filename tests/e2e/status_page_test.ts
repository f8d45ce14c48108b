// The status page in a headless Chromium: light and dark, narrow and wide, with what strangers may send.
//
// The page is served as the program serves it, with the same header fields. Pictures of it go to dist/screenshots/.

import assert from "node:assert/strict";
import { PAGE_FIELDS, PAGE_TYPE, renderPage } from "../../lib/metrics/page/page.ts";
import { EMPTY, FULL, HOSTILE, HOSTILE_TEXTS, ONE } from "../metrics/snapshots.ts";
import { Browser, type View } from "../rig/browser.ts";
import { freePort } from "../rig/ports.ts";
import { Server } from "../rig/server.ts";
import { until } from "../rig/wait.ts";
import { assertCode, CONTENT, deliver } from "../blackbox/rig.ts";
import { Listening } from "./start.ts";

const PICTURES = new URL("../../dist/screenshots/", import.meta.url);

const SICK = { faults: ["Next hop 127.0.0.1:10026 does not answer: connection refused.", HOSTILE_TEXTS[0]!] };

const PAGES: Readonly<Record<string, string>> = {
  empty: renderPage(EMPTY, { faults: [] }),
  one: renderPage(ONE, { faults: [] }),
  full: renderPage(FULL, { faults: [] }),
  hostile: renderPage(HOSTILE, SICK),
  // It breaks its own policy in each way that a hostile text could.
  broken: `<!DOCTYPE html><title>kept</title><script>document.title = "owned"</script><p style="color:red">x
<img src="/picture"><style>p{color:red}</style>`,
};

const SCHEMES = ["light", "dark"] as const;

// 320 is the width that WCAG 1.4.10 names.
const WIDTHS = [320, 412, 768, 1280] as const;

/** A server of the pages, by their names. Each request is told to `heard`. */
function servePages(heard: (name: string) => void = () => {}): { url: string; stop: () => Promise<void> } {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const name = new URL(request.url).pathname.slice(1);
    heard(name);
    const [page, reload] = name.split("-");
    const body = reload ? renderPage(ONE, { faults: [] }, { reload: Number(reload) }) : PAGES[page!];
    return new Response(body ?? "", {
      status: body ? 200 : 404,
      headers: { "Content-Type": PAGE_TYPE, ...PAGE_FIELDS },
    });
  });
  return { url: `http://127.0.0.1:${server.addr.port}`, stop: () => server.shutdown() };
}

async function withBrowser(body: (browser: Browser) => Promise<void>): Promise<void> {
  const browser = await Browser.start();
  try {
    await body(browser);
  } finally {
    await browser.close();
  }
}

/** Elements that stick out of the window, or whose content sticks out of them. */
const STICKING_OUT = `(() => {
  const found = [];
  for (const element of document.body.querySelectorAll("*")) {
    if (element.closest("svg svg, svg *")) continue;
    const { right, left, width } = element.getBoundingClientRect();
    if (width > 0 && (right > document.documentElement.clientWidth + 0.5 || left < -0.5)) found.push(element);
    const block = ["TD", "TH", "DD", "DT", "LI", "P", "H2", "CAPTION", "DIV", "SECTION", "TABLE"].includes(element.tagName);
    if (block && element.scrollWidth > element.clientWidth + 1) found.push(element);
  }
  return found.map((element) => element.tagName + "." + element.className + ": " + element.textContent.slice(0, 60));
})()`;

function pictureOf(name: string, { width, scheme }: View): URL {
  return new URL(`${name}-${scheme}-${width}.png`, PICTURES);
}

Deno.test("the status page fits each window, and breaks no policy of its own", async (test) => {
  Deno.mkdirSync(PICTURES, { recursive: true });
  const { url, stop } = servePages();
  await withBrowser(async (browser) => {
    for (const [name, widths] of [["empty", [1280]], ["one", [412]], ["full", WIDTHS], ["hostile", WIDTHS]] as const) {
      for (const scheme of SCHEMES) {
        for (const width of widths) {
          await test.step(`${name}, ${scheme}, ${width}`, async () => {
            const view = { width, height: 900, scheme };
            await browser.view(view);
            await browser.open(`${url}/${name}`);
            Deno.writeFileSync(pictureOf(name, view), await browser.screenshot());
            assert.equal(await browser.ask("document.documentElement.scrollWidth"), width);
            assert.deepEqual(await browser.ask(STICKING_OUT), []);
            assert.deepEqual(browser.complaints, []);
            const ground = await browser.ask<string>("getComputedStyle(document.body).backgroundColor");
            assert.equal(ground, scheme === "light" ? "rgb(244, 246, 248)" : "rgb(16, 21, 27)");
          });
        }
      }
    }
  });
  await stop();
});

Deno.test("no text of a stranger becomes markup", async () => {
  const { url, stop } = servePages();
  await withBrowser(async (browser) => {
    const elements = `[...new Set([...document.querySelectorAll("*")].map((one) => one.localName))].sort()`;
    const attributes =
      `[...new Set([...document.querySelectorAll("*")].flatMap((one) => one.getAttributeNames()))].sort()`;
    await browser.open(`${url}/full`);
    const [plainElements, plainAttributes] = [
      await browser.ask<string[]>(elements),
      await browser.ask<string[]>(attributes),
    ];
    await browser.open(`${url}/hostile`);
    assert.deepEqual((await browser.ask<string[]>(elements)).filter((name) => !plainElements.includes(name)), []);
    assert.deepEqual((await browser.ask<string[]>(attributes)).filter((name) => !plainAttributes.includes(name)), []);
    assert.equal(await browser.ask("document.title"), "Not healthy – postprox");
    assert.equal(await browser.ask(`document.querySelectorAll("bdi *").length`), 0);
    // They are all there, as they came.
    const texts = await browser.ask<string[]>(
      `[...document.querySelectorAll(".refusals bdi")].map((one) => one.textContent)`,
    );
    for (const text of HOSTILE_TEXTS.filter((text) => /^[\x20-\x5b\x5d-\x7e]{1,200}$/.test(text))) {
      assert.ok(texts.includes(text), text);
    }
    assert.deepEqual(browser.complaints, []);
  });
  await stop();
});

Deno.test("the policy stops a script, a picture and a style, and the test sees it", async () => {
  const { url, stop } = servePages();
  await withBrowser(async (browser) => {
    await browser.open(`${url}/broken`);
    assert.equal(await browser.ask("document.title"), "kept");
    assert.equal(await browser.ask(`getComputedStyle(document.querySelector("p")).color`), "rgb(0, 0, 0)");
    const all = () => browser.complaints.join("\n");
    for (const directive of ["script-src", "img-src", "style-src"]) {
      await until(() => all().includes(directive), directive);
    }
  });
  await stop();
});

Deno.test("the page loads itself again without a script", async () => {
  let requests = 0;
  const { url, stop } = servePages((name) => name === "one-1" && requests++);
  await withBrowser(async (browser) => {
    await browser.open(`${url}/one-1`);
    await browser.loaded();
    assert.ok(requests >= 2);
    assert.deepEqual(browser.complaints, []);
  });
  await stop();
});

Deno.test("a screen reader finds the tables, the plots and the state on a narrow page too", async () => {
  const { url, stop } = servePages();
  await withBrowser(async (browser) => {
    for (const width of [320, 1280]) {
      await browser.view({ width, height: 900, scheme: "light" });
      await browser.open(`${url}/full`);
      const things = await browser.accessible();
      const count = (role: string) => things.filter((one) => one.role === role).length;
      assert.equal(count("main"), 1);
      assert.equal(count("heading"), 7);
      assert.deepEqual([count("table"), count("image")], [3, 3], `${width}: ${JSON.stringify(things.slice(0, 20))}`);
      assert.ok(count("row") >= 50 + 9 + 6, `${width}: ${count("row")} rows`);
      assert.ok(count("cell") >= 400, `${width}: ${count("cell")} cells`);
      const plots = things.filter(({ role }) => role === "image").map(({ name }) => name);
      assert.match(plots[0]!, /^Messages per minute: 7,186 last hour, peak \d+$/);
      assert.ok(things.some(({ name }) => name === "Latest refusals"));
    }
  });
  await stop();
});

/** Senders that RFC 5321 allows, and what a filter may say about their mail. */
const STRANGERS = [
  `"<script>document.title = 'owned'</script>"@example.org`,
  `"'><img/src=x/onerror=alert(1)>"@example.org`,
  `${"x".repeat(60)}@${"y".repeat(60)}.${"z".repeat(60)}.example`,
];

Deno.test("the program itself serves the page, and the mail of strangers is in it as text", async (test) => {
  const fake = await Server.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  Deno.mkdirSync(`${dir}/spool`);
  const port = await freePort();
  const filter = "echo '</td><b>bold</b><style>*{color:red}</style>' >&2; exit 1";
  const program = await Listening.start([
    fake.operand,
    "-d",
    `${dir}/spool`,
    `--log=${dir}/log`,
    `--metrics=${port}`,
    "-c",
    filter,
  ]);
  try {
    for (const sender of STRANGERS) {
      const { client } = await program.connect();
      await client.expect(220);
      await client.expect(250, "EHLO client.example");
      assertCode(await deliver(client, CONTENT, { from: sender }), 550, 554);
      client.close();
    }
    await withBrowser(async (browser) => {
      for (const width of [320, 1280]) {
        await test.step(`${width}`, async () => {
          const view = { width, height: 900, scheme: "light" as const };
          await browser.view(view);
          await browser.open(`http://127.0.0.1:${port}/`);
          Deno.writeFileSync(pictureOf("program", view), await browser.screenshot());
          assert.match(await browser.ask("document.title"), /^Healthy – postprox/);
          const rows = await browser.ask<string[]>(
            `[...document.querySelectorAll(".refusals tbody tr")].map((row) => row.textContent)`,
          );
          assert.equal(rows.length, STRANGERS.length);
          for (const [at, row] of rows.toReversed().entries()) {
            assert.ok(row.includes(STRANGERS[at]!.slice(0, 80)), row);
            assert.ok(row.includes("</td><b>bold</b><style>*{color:red}</style>"), row);
          }
          assert.equal(await browser.ask(`document.querySelectorAll(".refusals b, script, img").length`), 0);
          assert.match(await browser.ask(`document.querySelector(".tiles").textContent`), /3 since start/);
          assert.deepEqual(await browser.ask(STICKING_OUT), []);
          assert.deepEqual(browser.complaints, []);
        });
      }
    });
  } finally {
    await program.stop();
    await fake.stop();
    Deno.removeSync(dir, { recursive: true });
  }
});
