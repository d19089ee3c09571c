/** What a run did to files, as strace saw it. */
export interface Trace {
  /** Calls of fsync and fdatasync, of files and folders. */
  readonly fsyncs: number;
  readonly syncfs: number;
  /** Files that were read once they were on the disk, and how many bytes of them. */
  readonly readBack: { readonly files: number; readonly bytes: number };
  /** Bytes that were read below the data's folder. */
  readonly dataBytes: number;
}

/**
 * Reads what `strace -f -y` writes. A call of one thread may begin on one line and end on a later one.
 * @param text Lines with the process's id first.
 * @param places Absolute paths: the NAS, and the data.
 */
export function readTrace(text: string, places: { nas: string; data: string }): Trace {
  const open = new Map<string, { call: string; path: string }>();
  const onDisk = new Set<string>();
  const readBack = new Set<string>();
  let [fsyncs, syncfs, readBackBytes, dataBytes] = [0, 0, 0, 0];

  const ended = (call: string, path: string, result: number) => {
    if (result < 0) return;
    if (call === "syncfs") syncfs += 1;
    if (call === "syncfs" || call === "fsync" || call === "fdatasync") onDisk.add(path);
    if (call === "fsync" || call === "fdatasync") fsyncs += 1;
    if (!call.startsWith("read") && !call.startsWith("pread")) return;
    if (path.startsWith(`${places.data}/`)) dataBytes += result;
    // After a syncfs everything that was written before it is there.
    if (!path.startsWith(`${places.nas}/`) || !(onDisk.has(path) || syncfs > 0)) return;
    readBack.add(path);
    readBackBytes += result;
  };

  for (const line of text.split("\n")) {
    const begun = /^(\d+) +(\w+)\((?:\d+)<([^>]*)>/.exec(line);
    if (begun) {
      const [, thread = "", call = "", path = ""] = begun;
      const result = /= (-?\d+)[^=]*$/.exec(line);
      if (line.endsWith("<unfinished ...>")) open.set(thread, { call, path });
      else if (result) ended(call, path, Number(result[1]));
      continue;
    }
    const resumed = /^(\d+) +<\.\.\. (\w+) resumed>.*= (-?\d+)[^=]*$/.exec(line);
    const waiting = resumed && open.get(resumed[1] ?? "");
    if (waiting && waiting.call === resumed[2]) ended(waiting.call, waiting.path, Number(resumed[3]));
  }
  return { fsyncs, syncfs, readBack: { files: readBack.size, bytes: readBackBytes }, dataBytes };
}
