// What a plan needs of stored passwords beside the passwords themselves, and what stands for them in a plan from a snapshot.
import type { Catalog, Witness } from '../model/catalog.ts';
import { parseVerifier } from '../model/scram.ts';
import { isForeign } from '../plan/secrets/password-check.ts';
import type { RecordedCatalog, RecordedRole, RecordedWitness, StoredPassword } from './snapshot.ts';

type Told = Pick<Catalog, 'managed' | 'verifiers'>;

/** Of each stored password how it is stored, and of ours whether it still is the one that was set. */
export const withoutPasswords = (catalog: Told): Pick<RecordedCatalog, 'managed' | 'passwords'> => ({
  passwords: new Map([...catalog.verifiers].map(([role, stored]) => [role, stored === null ? null : kindOf(stored)])),
  managed: new Map(
    [...catalog.managed].map(([name, { witness, ...role }]): [string, RecordedRole] => [name, { ...role, witness: recorded(name, witness, catalog) }]),
  ),
});

function kindOf(stored: string): StoredPassword {
  const parts = parseVerifier(stored);
  if (parts !== undefined) return { method: 'scram-sha-256', iterations: parts.iterations };
  return { method: stored.startsWith('md5') ? 'md5' : 'other', iterations: 0 };
}

const recorded = (name: string, witness: Witness | null, catalog: Told): RecordedWitness | null =>
  witness === null ? null : { iterations: witness.iterations, salted: witness.salt !== '', foreign: isForeign(name, catalog) };

/** The salts of what stands for our verifiers, and of what stands for all others: nobody's. */
const [OURS, ANOTHER] = [Buffer.alloc(16, 1).toString('base64'), Buffer.alloc(16, 2).toString('base64')];
const NO_KEY = Buffer.alloc(32).toString('base64');

/** What can be compared as verifiers and witnesses are, with the same answers, and no password fits. */
export function standIns({ passwords, managed }: Pick<RecordedCatalog, 'managed' | 'passwords'>): Told {
  const standIn = (role: string, stored: StoredPassword): string => {
    const witness = managed.get(role)?.witness;
    const isOurs = witness != null && !witness.foreign;
    if (!isOurs && stored.method !== 'scram-sha-256') return '';
    const [iterations, salt] = isOurs ? [witness.iterations, OURS] : [stored.iterations, ANOTHER];
    return `SCRAM-SHA-256$${iterations}:${salt}$${NO_KEY}:${NO_KEY}`;
  };
  return {
    verifiers: new Map([...passwords].map(([role, stored]) => [role, stored === null ? null : standIn(role, stored)])),
    managed: new Map(
      [...managed].map(([name, { witness, ...role }]) => [
        name,
        { ...role, witness: witness === null ? null : { version: '', salt: witness.salted ? OURS : '', iterations: witness.iterations, proof: '' } },
      ]),
    ),
  };
}
