import { copyFile, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { change, layLab, places, say } from "../worlds/open-webui.ts";
import { backUp, drill, expectRejected, foldersOf, manifests, plant, untouched } from "./drilling.ts";

let lab: { folder: string; app: string };
beforeEach(async () => {
  lab = { folder: await mkdtemp(join(tmpdir(), "keepsake-drill-")), app: "open-webui" };
  await layLab(lab.folder, { settings: { uploads: true } });
  await backUp(lab);
});
afterEach(() => rm(lab.folder, { recursive: true, force: true }));

test("a drill proves the rows of every table and the uploads, and touches nothing of production", async () => {
  expect(await untouched(lab, [places(lab.folder).data], () => drill(lab))).toMatchObject({
    outcome: "proven",
    drill: {
      compared: expect.arrayContaining([
        expect.stringMatching(/^\d+ tables with \d+ rows$/),
        "integrity_check",
        "rows",
        "6 uploads",
      ]),
    },
  });
});

test("a copy of a database without its WAL is rejected: it opens and is sound, and rows are missing", async () => {
  const insert = `INSERT INTO chat (id, user_id, title, chat, created_at, updated_at, archived, meta)
    SELECT lower(hex(randomblob(16))), user_id, title, chat, created_at, updated_at, archived, meta FROM chat`;
  const before = join(lab.folder, "before.db");
  await copyFile(places(lab.folder).database, before);
  change(places(lab.folder).database, (db) => db.exec(insert));
  await backUp(lab);
  await plant(lab, "database", async (path) => {
    const live = new DatabaseSync(before);
    live.exec(`PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; ${insert}`);
    expect(live.prepare("SELECT count(*) AS chats FROM chat").get()).toEqual({ chats: 40 });
    await copyFile(before, path);
    live.close();
    // Somebody has looked into it, and found nothing wrong.
    change(path, (copy) => {
      copy.exec("PRAGMA journal_mode = DELETE");
      expect(copy.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    });
  });
  await expectRejected(lab, /40 rows of "chat" are wanted, are 20/, /webui_\d+_\d+\.db/);
});

test("an index that does not fit its table is rejected, though the sums are right", async () => {
  const breakIndex = async (path: string) => {
    const db = new DatabaseSync(path);
    const page = "SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'chat' ORDER BY name LIMIT 1";
    const [{ rootpage }, { page_size: size }] = [db.prepare(page).get(), db.prepare("PRAGMA page_size").get()] as [
      { rootpage: number },
      { page_size: number },
    ];
    db.close();
    const file = await open(path, "r+");
    // The number of cells in its root.
    await file.write(Buffer.of(0, 1), 0, 2, (rootpage - 1) * size + 3);
    await file.close();
  };
  await plant(lab, "database", breakIndex);
  await expectRejected(lab, /webui_\d+_\d+\.db/, /wrong # of entries in index/);
});

test("an older database in the place of the newest is rejected, though its sums are right", async () => {
  say(places(lab.folder).database, "one more");
  await backUp(lab);
  const [older] = await manifests(lab);
  const from = join(foldersOf(lab).history, older?.files[0]?.name as string);
  await plant(lab, "database", (path) => copyFile(from, path));
  await expectRejected(lab, /21 rows of "chat" are wanted, are 20/);
});

test("an empty database is rejected, and so is one of zeros", async () => {
  await plant(lab, "database", (path) => writeFile(path, ""));
  await expectRejected(lab, /webui_\d+_\d+\.db/);
  await plant(lab, "database", (path) => writeFile(path, Buffer.alloc(8192)));
  await expectRejected(lab, /webui_\d+_\d+\.db/);
});
