// Presets: what `preset: read_only | read_write | owner` on a block stands for; docs/privileges.md shows the same table.
import type { ObjectKind } from '../model/kinds.ts';

export type PresetName = 'read_only' | 'read_write' | 'owner';

/** The privileges on each schema of the block, and on everything in it. */
export const PRESETS: Readonly<Record<PresetName, Readonly<Partial<Record<ObjectKind, readonly string[]>>>>> = {
  read_only: { schema: ['USAGE'], table: ['SELECT'], sequence: ['SELECT'] },
  read_write: {
    schema: ['USAGE'],
    table: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
    sequence: ['USAGE', 'SELECT'],
    function: ['EXECUTE'],
    type: ['USAGE'],
  },
  owner: { schema: ['USAGE', 'CREATE'], table: ['ALL'], sequence: ['ALL'], function: ['EXECUTE'], type: ['USAGE'] },
};
