import { expect, test } from "vitest";
import { kept } from "../../../deploy/image/contents.ts";
import { joinCluster } from "../join.ts";
import { configOf } from "./dockerfile.ts";
import { keepsake, keepsakeImage } from "./keepsake.ts";

const cluster = await joinCluster();
const home = await cluster.namespace("image");

test("configOf() reads what the last stage of a Dockerfile sets", () => {
  const dockerfile = [
    "FROM build AS first",
    "USER root",
    'ENTRYPOINT ["make"]',
    "FROM small",
    "COPY --from=first /app /app",
    "USER 1000:1000",
    "ENV A=1 B=two",
    'ENTRYPOINT ["node", "--x", "/app/a.cjs"]',
    'CMD ["serve"]',
  ];
  expect(configOf(dockerfile.join("\n"))).toEqual({
    User: "1000:1000",
    Env: ["A=1", "B=two"],
    Entrypoint: ["node", "--x", "/app/a.cjs"],
    Cmd: ["serve"],
  });
});

test("keepsakeImage() is the project's image: its user, its Node, PostgreSQL's client, and no tests", async () => {
  await cluster.load(keepsake, keepsakeImage);
  const commands = [
    "id -u",
    "node --version",
    "echo $NODE_ENV",
    "ls /app",
    "find /app -name '*.test.ts'",
    "touch /app/x",
    "pg_dump --version",
  ];
  const { log } = await home.runJob("look", {
    image: keepsake,
    command: ["sh", "-c", commands.join("; ")],
    securityContext: { readOnlyRootFilesystem: true },
  });
  expect(log.split("\n")).toEqual([
    "1000",
    process.version,
    "production",
    ...["build", "keepsake.cjs", ...kept].sort(),
    "touch: cannot touch '/app/x': Read-only file system",
    expect.stringMatching(/^pg_dump \(PostgreSQL\) \d/),
    "",
  ]);
});

test("keepsakeImage() starts what the Dockerfile says", async () => {
  await cluster.load(keepsake, keepsakeImage);
  const { log, succeeded } = await home.runJob("start", { image: keepsake, args: ["no-such-program"] });
  expect(log).toContain("build/no-such-program");
  expect(succeeded).toBe(false);
});
