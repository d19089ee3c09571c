/** What came of telling something over a channel. Never holds a URL or a secret. */
export type Told =
  | {
      readonly outcome: "taken";
      readonly messageId?: string;
      /** What the user should know of it, such as a topic that is gone. */
      readonly notes: readonly string[];
    }
  /** The channel asked to wait for so long. */
  | { readonly outcome: "wait"; readonly afterMs: number; readonly why: string }
  /** May succeed later without anybody changing anything. */
  | {
      readonly outcome: "passing";
      readonly why: string;
      /** The message may have been taken, and its answer was lost. */
      readonly maybeTaken: boolean;
    }
  /** Will not succeed until somebody changes something: the channel's settings, the one chat, or the message. */
  | {
      readonly outcome: "permanent";
      readonly about: "channel" | "chat" | "message";
      readonly why: string;
      readonly hint?: string;
    };

export type Refused = Exclude<Told, { outcome: "taken" }>;
