import type { Event } from "../../../events/event.ts";
import type { Message } from "../message.ts";
import type { Told } from "../told.ts";

/** One message on its way. */
export interface Telling {
  readonly message: Message;
  /** What it tells; none when it is a trial. */
  readonly events: readonly Event[];
  readonly silent: boolean;
  /** undefined: the usual chat. */
  readonly chat?: string;
  readonly topic?: number;
}

/** A way to people. */
export interface Channel {
  readonly name: string;
  /** Where on this channel it goes, as an opaque key: when one place refuses, the others may not. */
  placeOf(telling: Telling): string;
  /** When the channel's own limits let it go, in ms since 1970. */
  readyAt(telling: Telling): number;
  /** Never rejects for what the channel answers. */
  send(telling: Telling): Promise<Told>;
}
