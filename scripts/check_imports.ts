// Fails when a file under lib/ imports from a level above its own, in a circle, or from outside the project.
//
// The level table is the architecture in one place: data goes one way. Types count like values. Run by `deno task ok`.

const LEVELS: readonly (readonly [pattern: RegExp, level: number])[] = [
  [/^lib\/(text|ports|smtp|pattern|mail|mime)\//, 0],
  [/^lib\/(address|envelope|verdict|version)\.ts$/, 0],
  [/^lib\/runtime\/(ports|io_error)\.ts$/, 0],
  [/^lib\/(runtime|wire|spool|log|dns)\//, 1],
  [/^lib\/(checks|restrictions)\//, 2],
  [/^lib\/session\//, 3],
  [/^lib\/modes\//, 4],
  [/^lib\/options\//, 5],
  [/^lib\/app(_checks|_listen)?\.ts$/, 6],
  [/^main(_bun)?\.ts$/, 7],
];

// The only files that may know a runtime, with what they may know, and the one other file that may know them.
const ADAPTERS = [
  { files: /^lib\/runtime\/deno(_[a-z]+)?(\.ts$|\/)/, entry: "main.ts", knows: /^node:dns\/promises$/, says: "Deno" },
  { files: /^lib\/runtime\/bun(_[a-z]+)?(\.ts$|\/)/, entry: "main_bun.ts", knows: /^(node|bun):/, says: "Bun" },
] as const;

const root = new URL("../", import.meta.url);
const imports = new Map<string, string[]>();
const complaints: string[] = [];

for (const file of [...sources("lib/"), ...ADAPTERS.map(({ entry }) => entry)]) {
  const text = Deno.readTextFileSync(new URL(file, root));
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1]!);
  imports.set(file, found.filter((name) => name.startsWith(".")).map((name) => resolve(file, name)));
  const own = ADAPTERS.find((adapter) => adapter.files.test(file) || adapter.entry === file);
  for (const name of found.filter((name) => !name.startsWith("."))) {
    if (own?.files.test(file) && own.knows.test(name)) continue;
    complaints.push(`${file} imports ${name}: the program imports nothing from outside`);
  }
  const code = text.replace(/\/\/.*|`(Deno|Bun)\.[^`]*`/g, "");
  for (const { says } of ADAPTERS) {
    if (new RegExp(`\\b${says}\\.`).test(code) && own?.says !== says) {
      complaints.push(`${file} says "${says}.": only its adapter may`);
    }
  }
}

for (const [file, targets] of imports) {
  for (const target of targets) {
    if (levelOf(target) > levelOf(file)) complaints.push(`${file} imports ${target}, which is above it`);
    const adapter = ADAPTERS.find((adapter) => adapter.files.test(target));
    if (adapter && adapter.entry !== file && !adapter.files.test(file)) {
      complaints.push(`${file} imports the adapter ${target}`);
    }
    if (isCheck(file) && isCheck(target)) complaints.push(`${file} imports ${target}: a check never imports another`);
  }
}
for (const file of imports.keys()) {
  const circle = findCircle(file, []);
  if (circle && circle[0] === circle.toSorted()[0]) complaints.push(`circle: ${circle.join(" -> ")}`);
}

for (const complaint of new Set(complaints)) console.error(complaint);
if (complaints.length > 0) Deno.exit(1);
console.log(`imports: ${imports.size} files, each from its own level or below, no circle`);

function levelOf(file: string): number {
  const row = LEVELS.find(([pattern]) => pattern.test(file));
  if (!row) throw new Error(`${file} stands in no level: add it to scripts/check_imports.ts`);
  return row[1];
}

// A file that makes a check or a restriction, as against the interfaces, what chains them, and the pure half of one.
function isCheck(file: string): boolean {
  if (!/^lib\/checks\//.test(file) || /\/(check|chain|restrictions?)\.ts$/.test(file)) return false;
  return /\): (?:Check|Restriction) \{/.test(Deno.readTextFileSync(new URL(file, root)));
}

function findCircle(file: string, path: readonly string[]): readonly string[] | undefined {
  if (file === path[0]) return path;
  if (path.includes(file)) return undefined;
  for (const target of imports.get(file) ?? []) {
    const circle = findCircle(target, [...path, file]);
    if (circle) return circle;
  }
  return undefined;
}

function* sources(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(new URL(folder, root))) {
    if (entry.isDirectory) yield* sources(`${folder}${entry.name}/`);
    else if (entry.name.endsWith(".ts")) yield `${folder}${entry.name}`;
  }
}

function resolve(file: string, name: string): string {
  return new URL(name, new URL(file, root)).href.slice(root.href.length);
}
