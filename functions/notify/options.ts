import type { Inbox } from "../../events/inbox.ts";
import type { Memory } from "../../events/memory.ts";
import type { Logger } from "../../shared/log.ts";
import type { Channel } from "./channels/channel.ts";
import type { Pings } from "./channels/ping.ts";
import type { Clock } from "./clock.ts";
import type { Wording } from "./message.ts";
import type { NotifySettings } from "./settings.ts";

/** Channels by what they are for: everything goes to each of `main`; `others` stand in when one of these takes nothing. */
export interface Channels {
  main: readonly Channel[];
  others: readonly Channel[];
}

export interface NotifierOptions {
  /** Called again after each failure; rejects while NATS is away. Absent: there is none. */
  open?: () => Promise<{ inbox: Inbox; memory: Memory }>;
  /** Called with the memory there. */
  onConnected?: () => Promise<void>;
  channels: () => Promise<Channels>;
  pings?: Pings;
  settings: NotifySettings;
  wording: Wording;
  log: Logger;
  clock: Clock;
}
