// What a database holds of the event trigger, as it is read and planned with.

/** What a database holds of the event trigger. */
export interface TriggerState {
  /** `foreign`: the schema of the trigger, or something in it, is not ours: what it does would be done with our rights. */
  readonly schema: 'missing' | 'ours' | 'foreign';
  /** `outdated`: not as this version makes it. `disabled`: somebody switched it off by ALTER EVENT TRIGGER. */
  readonly trigger: 'missing' | 'current' | 'outdated' | 'disabled';
  /** Those that are switched off. */
  readonly disabled: readonly string[];
  /** A digest of the function that holds the rules; undefined where there is none. */
  readonly rules: string | undefined;
  /** That function's text, where it was asked for: somebody's rules in it have to stay. */
  readonly text?: string;
  /** Whether there are tables of an earlier version. */
  readonly tables: boolean;
}

export const NO_TRIGGER: TriggerState = { schema: 'missing', trigger: 'missing', disabled: [], rules: undefined, tables: false };
