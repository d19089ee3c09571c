import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { revisions, schema } from "./schema.ts";

export interface InstallOptions {
  /** The same seed gives the same rows. Another one is another install. */
  readonly seed?: string;
  readonly users?: number;
  readonly chats?: number;
  /** Of each of a chat's four messages. */
  readonly messageBytes?: number;
  readonly files?: number;
  readonly revision?: string;
  readonly wal?: boolean;
}

/** Where the app sees its data: what stands in the rows of `file`. */
const appData = "/app/backend/data";
const installedAt = 1_719_901_984;

/** A data folder as /app/backend/data looks after a year: webui.db, uploads/, vector_db/, cache/. */
export async function makeInstall(data: string, options: InstallOptions = {}): Promise<void> {
  const { files = 6, seed = "lab" } = options;
  for (const folder of ["uploads", "vector_db", "cache/embedding/models", "cache/image/generations"])
    await mkdir(join(data, folder), { recursive: true });
  makeDatabase(join(data, "webui.db"), options);
  for (let n = 0; n < files; n++) await writeFile(join(data, "uploads", uploadName(seed, n)), uploadContent(seed, n));
  const vectors = new DatabaseSync(join(data, "vector_db/chroma.sqlite3"));
  vectors.exec(
    "CREATE TABLE collections (id TEXT PRIMARY KEY, name TEXT); CREATE TABLE embeddings (id INTEGER PRIMARY KEY, v BLOB)",
  );
  vectors.close();
  await writeFile(join(data, "cache/embedding/models/model.onnx"), noise(seed, "model", 200_000));
}

/** Makes webui.db; with no users it is a fresh install. */
export function makeDatabase(path: string, options: InstallOptions = {}): void {
  const {
    seed = "lab",
    users = 3,
    chats = 240,
    files = 6,
    revision = revisions.at(-1) as string,
    wal = false,
  } = options;
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: false });
  db.exec(`PRAGMA journal_mode=${wal ? "WAL" : "DELETE"}; BEGIN; ${schema}`);
  const insert = (table: string, row: Record<string, string | number | null>) =>
    db
      .prepare(`INSERT INTO "${table}" (${Object.keys(row).join(", ")}) VALUES (${Object.keys(row).map(() => "?")})`)
      .run(...Object.values(row));
  insert("alembic_version", { version_num: revision });
  insert("migratehistory", { id: 1, name: "001_initial_schema", migrated_at: "2024-07-02 06:27:32.706712" });
  for (const [key, value] of Object.entries({ "ui.enable_signup": false, "ollama.base_urls": ["http://ollama:11434"] }))
    insert("config", { key, value: JSON.stringify(value), updated_at: installedAt });
  for (let n = 0; n < users; n++) addUser(insert, seed, n);
  for (let n = 0; users > 0 && n < files; n++) addFile(insert, seed, n);
  if (users > 0) addOddments(insert, seed);
  const add = chatWriter(db, { seed, users, ...(options.messageBytes && { messageBytes: options.messageBytes }) });
  for (let n = 0; users > 0 && n < chats; n++) {
    add(n);
    // So that a database of any size is made in the memory of a small one.
    if (n % 500 === 499) db.exec("COMMIT; BEGIN");
  }
  db.exec("COMMIT");
  db.close();
}

type Insert = (table: string, row: Record<string, string | number | null>) => void;

function addUser(insert: Insert, seed: string, n: number): void {
  const id = uuid(seed, `user ${n}`);
  const at = installedAt + n * 86_400;
  const name = ["Robin", "Kim", "Sascha"][n] ?? `User ${n}`;
  insert("user", {
    ...{ id, name, email: `user${n}@homelab.lan`, username: null, role: n === 0 ? "admin" : "user" },
    ...{ profile_image_url: "/user.png", last_active_at: at, updated_at: at, created_at: at, settings: "null" },
  });
  const password = `$2b$12$${noise(seed, `password ${n}`, 40).toString("base64url").slice(0, 53)}`;
  insert("auth", { id, email: `user${n}@homelab.lan`, password, active: 1 });
}

function addFile(insert: Insert, seed: string, n: number): void {
  const name = uploadName(seed, n);
  const content = uploadContent(seed, n);
  const at = installedAt + n * 3600;
  insert("file", {
    ...{
      id: name.slice(0, 36),
      user_id: uuid(seed, "user 0"),
      hash: createHash("sha256").update(content).digest("hex"),
    },
    ...{ filename: name.slice(37), path: `${appData}/uploads/${name}`, data: '{"status": "completed"}' },
    meta: JSON.stringify({ name: name.slice(37), content_type: "text/plain", size: content.length }),
    ...{ created_at: at, updated_at: at },
  });
}

/** A row or more in each of the tables that a home lab fills by and by. */
function addOddments(insert: Insert, seed: string): void {
  const user_id = uuid(seed, "user 0");
  const [created_at, updated_at] = [installedAt, installedAt];
  const times = { created_at, updated_at };
  insert("tag", { id: "cooking", name: "cooking", user_id, meta: null });
  insert("memory", { id: uuid(seed, "memory"), user_id, content: "Prefers metric units.", ...times });
  insert("model", {
    id: "helper",
    user_id,
    base_model_id: "llama3.2:1b",
    name: "Helper",
    params: "{}",
    meta: "{}",
    ...times,
  });
  insert("tool", {
    id: "clock",
    user_id,
    name: "Clock",
    content: "class Tools:\n    pass\n",
    specs: "[]",
    meta: "{}",
    ...times,
  });
  insert("function", {
    ...{ id: "filter", user_id, name: "Filter", type: "filter", content: "class Filter:\n    pass\n", meta: "{}" },
    ...{ is_active: 1, is_global: 0, ...times },
  });
  insert("prompt", {
    id: uuid(seed, "prompt"),
    command: "sum",
    user_id,
    name: "Sum up",
    content: "Sum up: {{CLIPBOARD}}",
    is_active: 1,
    ...times,
  });
  insert("folder", { id: uuid(seed, "folder"), user_id, name: "Kitchen", is_expanded: 1, ...times });
  insert("knowledge", { id: uuid(seed, "knowledge"), user_id, name: "Manuals", description: "", ...times });
  insert("group", { id: uuid(seed, "group"), user_id, name: "Family", description: "", ...times });
  insert("group_member", { id: uuid(seed, "member"), group_id: uuid(seed, "group"), user_id, ...times });
  insert("feedback", {
    id: uuid(seed, "feedback"),
    user_id,
    version: 0,
    type: "rating",
    data: '{"rating": 1}',
    ...times,
  });
  insert("note", {
    id: uuid(seed, "note"),
    user_id,
    title: "Shopping",
    data: '{"content": {"md": "flour"}}',
    ...times,
  });
}

/** Adds chat number n with its messages, as the app does: the history once more in the chat's own JSON. */
export function chatWriter(
  db: DatabaseSync,
  { seed = "lab", users = 1, messageBytes = 300 }: { seed?: string; users?: number; messageBytes?: number } = {},
): (n: number) => void {
  const chat = db.prepare(
    "INSERT INTO chat (id, user_id, title, chat, created_at, updated_at, archived, pinned, meta) VALUES (?, ?, ?, ?, ?, ?, 0, 0, '{}')",
  );
  const message = db.prepare(
    "INSERT INTO chat_message (id, chat_id, user_id, role, parent_id, content, model_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, 'llama3.2:1b', ?, ?)",
  );
  return (n) => {
    const [id, user] = [uuid(seed, `chat ${n}`), uuid(seed, `user ${n % users}`)];
    const at = installedAt + n * 600;
    const messages: Record<string, unknown> = {};
    let parent: string | null = null;
    const rows: [string, string, string | null, string][] = [];
    for (let turn = 0; turn < 4; turn++) {
      const own = uuid(seed, `message ${n} ${turn}`);
      const role = turn % 2 === 0 ? "user" : "assistant";
      const content = text(seed, `${n} ${turn}`, messageBytes);
      messages[own] = { id: own, parentId: parent, role, content, timestamp: at + turn };
      rows.push([own, role, parent, JSON.stringify(content)]);
      parent = own;
    }
    const json = { id: "", title: `Chat ${n}`, models: ["llama3.2:1b"], history: { messages, currentId: parent } };
    chat.run(id, user, `Chat ${n}`, JSON.stringify(json), at, at);
    for (const [own, role, before, content] of rows) message.run(own, id, user, role, before, content, at, at);
  };
}

export const uploadName = (seed: string, n: number) => `${uuid(seed, `file ${n}`)}_manual ${n}.txt`;
const uploadContent = (seed: string, n: number) => Buffer.from(text(seed, `file ${n}`, 20_000 + 5000 * n));

function uuid(seed: string, what: string): string {
  const hex = createHash("sha256").update(`${seed} ${what}`).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-",
  );
}

const words = "the oven wants a bigger tray and nobody knows why the bread is flat when it rains in the north".split(
  " ",
);

/** Words, always the same ones for a key. */
function text(seed: string, key: string, lengthBytes: number): string {
  const bytes = noise(seed, key, Math.min(lengthBytes, 4096));
  let line = "";
  for (const byte of bytes) line += `${words[byte % words.length]} `;
  return line.repeat(Math.ceil(lengthBytes / line.length)).slice(0, lengthBytes);
}

function noise(seed: string, key: string, lengthBytes: number): Buffer {
  const pieces: Buffer[] = [];
  for (let n = 0; n * 32 < lengthBytes; n++) pieces.push(createHash("sha256").update(`${seed} ${key} ${n}`).digest());
  return Buffer.concat(pieces).subarray(0, lengthBytes);
}
