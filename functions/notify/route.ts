import type { How, Kind, NotifySettings } from "./settings.ts";

/** How one event is told, and where. */
export interface Route {
  readonly how: How;
  /** undefined: the usual chat. */
  readonly chat?: string;
  readonly topic?: number;
}

/** What wakes nobody unless the settings say so. */
const quietUnlessTold: ReadonlySet<string> = new Set<Kind>(["unchanged", "postponed", "proven", "scrubbed", "digest"]);

/**
 * The nearest rule wins: that of the app for this kind, then of the app, then for this kind, then what is usual. What a
 * later version tells, and this one has no name for, is loud.
 */
export function routeOf(settings: NotifySettings, kind: string, app?: string): Route {
  const ofApp = app === undefined ? undefined : settings.apps[app];
  const rules = [ofApp?.send[kind as Kind], settings.send[kind as Kind]];
  const how = rules.find((rule) => rule?.how !== undefined)?.how ?? (quietUnlessTold.has(kind) ? "quiet" : "loud");
  const places = [rules[0], ofApp, rules[1], settings.telegram];
  const place = places.find((place) => place && ("chat" in place || "topic" in place));
  // A topic without a chat is one of the chat that is named around it: of the app's, or of the usual one.
  const around = place === rules[0] ? [place, ofApp, settings.telegram] : [place, settings.telegram];
  const chat = around.find((place) => place && "chat" in place && place.chat);
  return {
    how,
    ...(chat && "chat" in chat && chat.chat !== undefined && { chat: chat.chat }),
    ...(place && "topic" in place && place.topic !== undefined && { topic: place.topic }),
  };
}
