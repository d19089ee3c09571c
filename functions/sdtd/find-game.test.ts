import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder, writeTree } from "../../shared/testing.ts";
import { type FindGame, findGame } from "./find-game.ts";

async function laid(files: string[]) {
  const userData = await tempFolder();
  await writeTree(userData, Object.fromEntries(files.map((path) => [path, ""])));
  const find = (options: Partial<FindGame> = {}) => findGame({ userData, worldsOfTheGame: [], ...options });
  return { userData, find };
}
const home = ["Saves/West Wikibi Territory/Home/main.ttw", "GeneratedWorlds/West Wikibi Territory/main.ttw"];

test("findGame() finds the one game, in whatever world, though the settings name none", async () => {
  const { userData, find } = await laid([...home, "Saves/serveradmin.xml", "Saves/West Wikibi Territory/notes.txt"]);
  expect(await find()).toEqual({
    world: "West Wikibi Territory",
    game: "Home",
    gameFolder: join(userData, "Saves/West Wikibi Territory/Home"),
    worldFolder: join(userData, "GeneratedWorlds/West Wikibi Territory"),
  });
});

test("findGame() is not misled by worlds that are not played, folders without a header, and hidden ones", async () => {
  const { find } = await laid([
    ...home,
    "GeneratedWorlds/Another Valley/main.ttw",
    "Saves/Another Valley/Old/Region/r.0.0.7rg",
    "Saves/.keepsake/x/main.ttw",
    "Saves/Another Valley/.trash/main.ttw",
  ]);
  expect((await find()).game).toBe("Home");
});

test("findGame() chooses none of several, and says which there are (a folder was chosen at random elsewhere)", async () => {
  const { find } = await laid([...home, "Saves/Navezgane/Test/main.ttw"]);
  await expect(find()).rejects.toMatchObject({
    code: "invalid_config",
    message: expect.stringContaining('"Navezgane/Test", "West Wikibi Territory/Home"'),
  });
  expect((await find({ world: "Navezgane" })).game).toBe("Test");
  expect((await find({ game: "Home" })).world).toBe("West Wikibi Territory");
  await expect(find({ game: "Gone" })).rejects.toMatchObject({
    code: "source_missing",
    message: expect.stringContaining('"*/Gone" is wanted'),
  });
});

test("findGame() leaves a game that was archived alone, unless it is named", async () => {
  const { find } = await laid([...home, "Saves/Navezgane/Test/main.ttw", "Saves/Navezgane/Test/archived.flag"]);
  expect((await find()).game).toBe("Home");
  expect((await find({ game: "Test" })).world).toBe("Navezgane");
});

test("findGame() does without a world that comes with the game, and takes it when it is there", async () => {
  for (const world of ["Navezgane", "PREGEN6k", "Pregen08k01"]) {
    const { find } = await laid([`Saves/${world}/Home/main.ttw`]);
    expect(await find()).not.toHaveProperty("worldFolder");
  }
  const { find } = await laid(["Saves/PREGEN6k/Home/main.ttw", "GeneratedWorlds/PREGEN6k/main.ttw"]);
  expect((await find()).worldFolder).toContain("PREGEN6k");
});

test("findGame() misses the world of a game, unless the settings say that it comes with a mod", async () => {
  const { find } = await laid(["Saves/Valley/Home/main.ttw", "GeneratedWorlds/Other/main.ttw"]);
  await expect(find()).rejects.toMatchObject({
    code: "source_missing",
    message: expect.stringMatching(/GeneratedWorlds\/Valley" is wanted, there is Other$/),
  });
  expect(await find({ worldsOfTheGame: ["Valley"] })).not.toHaveProperty("worldFolder");
});

test("findGame() tells an empty place from a missing one", async () => {
  const { userData, find } = await laid(["Saves/Valley/Home/Region/r.0.0.7rg"]);
  await expect(find()).rejects.toMatchObject({ code: "source_empty" });
  await rm(join(userData, "Saves"), { recursive: true });
  await expect(find()).rejects.toMatchObject({ code: "source_missing", hint: expect.stringContaining("userData") });
  await writeFile(join(userData, "Saves"), "a file");
  await expect(find()).rejects.toMatchObject({ code: "source_missing" });
});

test("findGame() takes folders as they are written, whatever the case, and follows a link to one", async () => {
  const { userData, find } = await laid(["saves/Valley/Home/MAIN.TTW", "elsewhere/valley/main.ttw"]);
  await symlink(join(userData, "elsewhere"), join(userData, "generatedworlds"));
  expect(await find()).toMatchObject({ worldFolder: join(userData, "generatedworlds/valley") });
});

// Root may read everything.
test.skipIf(process.getuid?.() === 0)("findGame() says that it may not read", async () => {
  const { userData, find } = await laid(home);
  await mkdir(join(userData, "Saves/Locked"), { mode: 0 });
  await expect(find()).rejects.toMatchObject({ code: "source_unreachable" });
});
