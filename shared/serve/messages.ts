/* What the two processes of a function tell each other. */

export type ToHand =
  /** Whether it has nothing to do by itself. */
  | { readonly kind: "rest?" }
  /** Answers end as soon as they can, and work of its own ends. */
  | { readonly kind: "drain" };

export type ToDoor =
  /** It listens. */
  | { readonly kind: "up" }
  | {
      readonly kind: "rest";
      /** When it wants to be at work again at the latest, in ms from now: 0 is now, absent when somebody calls. */
      readonly forMs?: number;
      /** Where something may come that it has to see to at once, for whoever listens there meanwhile. */
      readonly bell?: string;
    };
