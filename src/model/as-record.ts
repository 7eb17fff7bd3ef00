// A value of others that may be a mapping.

/** The value, where it is a mapping and no list; its keys are whatever they are. */
export const asRecord = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
