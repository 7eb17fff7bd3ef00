// Settings of a verb: those of the environment, and over them what stands as options.
import { type Config, ConfigError, readConfig } from '../config.ts';
import { type Given, type Program, UsageError } from './verb.ts';

const VARIABLES: readonly (readonly [option: string, variable: string])[] = [
  ['host', 'DB_HOST'],
  ['port', 'DB_PORT'],
  ['user', 'DB_USER'],
  ['database', 'DB_NAME'],
];

/** @throws UsageError naming every setting that is wrong. */
export function settingsFrom({ options }: Given, { env, chosen }: Pick<Program, 'env' | 'chosen'>): Config {
  if (chosen !== undefined) return chosen.config;
  const given = VARIABLES.flatMap(([option, variable]) => {
    const value = options.get(option);
    return typeof value === 'string' ? [[variable, value]] : [];
  });
  const empty = VARIABLES.filter(([option]) => options.get(option) === '').map(([option]) => `--${option}`);
  if (empty.length > 0) throw new UsageError(`${empty.join(', ')} needs a value`);
  try {
    return readConfig({ ...env, ...Object.fromEntries(given) });
  } catch (error) {
    throw error instanceof ConfigError ? new UsageError(error.message) : error;
  }
}
