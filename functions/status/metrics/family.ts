import type { AppStatus } from "../view.ts";

/*
 * What is measured, by the conventions of https://prometheus.io/docs/practices/naming: base units in the names, times
 * as seconds since 1970, states as sets of which one is 1. What is not known has no sample: it is never 0.
 */

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export const family = (name: string, help: string, samples: readonly Sample[]): Family => ({ name, help, samples });

/** Of the whole house. */
export const one = (name: string, help: string, value: number | undefined): Family =>
  family(name, help, value === undefined ? [] : [{ labels: {}, value }]);

type Measure<T> = (app: AppStatus) => T | undefined;
/** A family of all apps, still to be measured. */
export type AppFamily = (apps: readonly AppStatus[]) => Family;

/** A sample for each app of which the value is known. */
export const each =
  (name: string, help: string, measure: Measure<number>, more: (app: AppStatus) => Sample["labels"] = () => ({})) =>
  (apps: readonly AppStatus[]): Family =>
    family(
      name,
      help,
      apps.flatMap((app) => {
        const value = measure(app);
        return value === undefined ? [] : [{ labels: { app: app.app, ...more(app) }, value }];
      }),
    );

/** A set of states for each app of which the state is known. */
export const eachOf =
  (name: string, help: string, label: string, all: readonly string[], stateOf: Measure<string>) =>
  (apps: readonly AppStatus[]): Family =>
    family(
      name,
      help,
      apps.flatMap((app) => {
        const state = stateOf(app);
        return state === undefined ? [] : stateSet(label, all, state, { app: app.app });
      }),
    );

/** One sample for each state that there is: 1 for the one that it is in, 0 for the others. */
export const stateSet = (label: string, all: readonly string[], is: string, labels: Sample["labels"] = {}): Sample[] =>
  [...new Set([...all, is])].map((state) => ({ labels: { ...labels, [label]: state }, value: Number(state === is) }));

export function unixSeconds(at: string): number;
export function unixSeconds(at: string | undefined): number | undefined;
export function unixSeconds(at: string | undefined) {
  return at === undefined ? undefined : Date.parse(at) / 1000;
}

export const secondsOf = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);
