// Tests of lib/quarantine/names.ts.

import assert from "node:assert/strict";
import { isId, newId, parseName, timeOfId } from "../../lib/quarantine/names.ts";

Deno.test("an id is new each time, sorts by time, and tells that time", () => {
  const first = Date.UTC(2026, 10, 28, 22, 52, 27, 123);
  const ids = Array.from({ length: 1000 }, (_, at) => newId(first + at));
  assert.match(ids[0]!, /^20261128T225227123-[0-9a-v]{16}$/);
  assert.deepEqual(ids.toSorted(), ids);
  assert.deepEqual(ids.map(timeOfId), ids.map((_, at) => first + at));
  assert.equal(new Set(Array.from({ length: 1000 }, () => newId(first))).size, 1000);
  assert.ok(ids.every(isId));
});

Deno.test("isId accepts no other text", () => {
  const id = "20261128T225227123-0123456789abcdef";
  assert.ok(isId(id));
  const others = ["", "x", "..", "../x", `${id}/`, `${id}.`, `./${id}`, ` ${id}`, `${id}\n`, `${id}.eml`, id.slice(1)];
  for (const text of [...others, id.toUpperCase(), id.replace("abc", "xyz"), id.replace("1128", "1328")]) {
    assert.ok(!isId(text), text);
  }
});

Deno.test("parseName tells the files of a message from all others", () => {
  const id = "20261128T225227123-0123456789abcdef";
  for (const ending of ["eml", "json", "new"] as const) assert.deepEqual(parseName(`${id}.${ending}`), { id, ending });
  for (const name of ["", id, `${id}.txt`, `${id}.json~`, `.${id}.json`, `${id}.JSON`, `x${id}.eml`, "lost+found"]) {
    assert.equal(parseName(name), undefined, name);
  }
});
