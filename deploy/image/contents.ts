/** Paths of the project that go into /app as they are, without tests. */
export const kept = ["events", "functions", "package.json", "shared", "stack.yml"] as const;

export const isForTests = (path: string): boolean => /(?:^|[\\/])(?:testing|[^\\/]*\.test)\.ts$/.test(path);
