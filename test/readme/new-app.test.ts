import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Disk } from "../../shared/disk.ts";
import { initNas } from "../../shared/nas/nas.ts";
import { createStep } from "../../shared/step.ts";
import { blockBelow } from "./blocks.ts";

const clone = join(import.meta.dirname, "../..");

/** This clone, as it is once somebody has followed the README. */
async function cloneWithNotes(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), "keepsake-notes-"));
  onTestFinished(() => rm(copy, { recursive: true }));
  for (const name of ["functions", "deploy"]) await cp(join(clone, name), join(copy, name), { recursive: true });
  for (const name of ["shared", "events", "node_modules", "package.json", "tsconfig.json"]) {
    await symlink(join(clone, name), join(copy, name));
  }
  await mkdir(join(copy, "functions/notes"));
  for (const file of ["app.ts", "backup.ts", "restore.ts"]) {
    await writeFile(join(copy, "functions/notes", file), await blockBelow(`\`functions/notes/${file}\``));
  }
  const stack = await readFile(join(clone, "stack.yml"), "utf8");
  await writeFile(join(copy, "stack.yml"), `${stack}\n${await blockBelow("In `stack.yml`, below")}`);
  return copy;
}

/** A lab in that clone: keepsake.yaml, notes, and the gateway of `make up` over it. */
async function serveNotes(copy: string) {
  const lab = join(copy, "homelab");
  await mkdir(join(lab, "notes"), { recursive: true });
  await mkdir(join(lab, "nas"));
  await initNas(join(lab, "nas"), new Disk(createStep()));
  const config = join(lab, "keepsake.yaml");
  const yaml = `nas: ./nas\nstate: ./state\nsecrets: ./secrets\napps:\n${await blockBelow("in `keepsake.yaml`, below")}`;
  await writeFile(config, yaml);
  const gateway = spawn(
    process.execPath,
    [join(copy, "deploy/local/gateway/main.ts"), "--config", config, "--port", "0"],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  onTestFinished(async () => {
    gateway.kill();
    if (gateway.exitCode === null) await once(gateway, "exit");
  });
  for await (const chunk of gateway.stdout) if (String(chunk).includes("Ctrl-C")) break;
  return lab;
}

test("the app that the README adds fits the types, and is backed up, damaged and restored", async () => {
  const copy = await cloneWithNotes();
  const lab = await serveNotes(copy);
  const make = (...args: string[]) =>
    new Promise<string>((resolve) =>
      execFile(
        process.execPath,
        [join(copy, "deploy/cli/main.ts"), ...args],
        { env: { ...process.env, YES: "1", GATEWAY: "", TOKEN_FILE: "" } },
        (_, stdout, stderr) => resolve(stdout + stderr),
      ),
    );
  const notes = join(lab, "notes/notes.txt");
  const text = "Grüße\nan alle\n".repeat(100_000);
  await writeFile(notes, text);
  const older = join(lab, "notes/old.txt");
  await writeFile(older, "not of the app");

  expect(await make("backup", "notes")).toMatch(/Notes {2}created {2}1\.6 MB/);
  expect(await make("backup", "notes")).toMatch(/Notes {2}unchanged/);
  const backups = join(lab, "nas/notes/backups");
  expect((await readdir(backups)).sort()).toEqual(["history", "latest.txt"]);
  expect(await readFile(join(backups, "latest.txt"), "utf8")).toBe(text);
  expect(await make("list", "notes")).toMatch(/You can go back to.*verified/s);

  await writeFile(notes, "oops");
  expect(await make("backup", "notes")).toMatch(/refused.*ALLOW=smaller/s);
  expect(await make("restore", "notes")).toMatch(/Notes {2}restored/);
  expect(await readFile(notes, "utf8")).toBe(text);
  expect(await make("undo-restore", "notes")).toMatch(/Notes {2}undone/);
  expect(await readFile(notes, "utf8")).toBe("oops");

  await writeFile(notes, Buffer.concat([Buffer.from(text), Buffer.of(0xff, 0xfe)]));
  expect(await make("backup", "notes")).toContain("it is not text (UTF-8)");
  await rm(notes);
  expect(await make("backup", "notes")).toMatch(/refused.*Cannot find the notes/s);
  expect(await make("restore-all")).toMatch(/1 app: 1 restored/);
  expect(await readFile(notes, "utf8")).toBe(text);
  expect(await readFile(older, "utf8")).toBe("not of the app");

  const types = join(copy, "tsconfig.notes.json");
  await writeFile(
    types,
    JSON.stringify({ extends: join(clone, "tsconfig.json"), include: [join(copy, "functions/notes")] }),
  );
  const tsc = join(clone, "node_modules/typescript/bin/tsc");
  const [code, said] = await new Promise<[unknown, string]>((resolve) =>
    execFile(process.execPath, [tsc, "--project", types], { cwd: copy }, (error, out) =>
      resolve([error?.code ?? 0, out]),
    ),
  );
  expect([code, said]).toEqual([0, ""]);
});
