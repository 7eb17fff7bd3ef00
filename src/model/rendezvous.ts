// Which replica is preferred for which server: each pair has a number of its own, and the highest wins. Whoever sees the same replicas agrees, and when one goes only its servers move.
import { createHash } from 'node:crypto';

/** The replicas, the preferred one first. */
export const ranking = (server: string, replicas: readonly string[]): readonly string[] =>
  replicas
    .map((replica) => ({ replica, weight: weightOf(server, replica) }))
    // Two equal numbers of 48 bits are not to be expected; all have to agree all the same.
    .sort((a, b) => b.weight - a.weight || (a.replica < b.replica ? -1 : 1))
    .map(({ replica }) => replica);

/** Names have no NUL, so that no two pairs are the same text. */
const weightOf = (server: string, replica: string): number => createHash('sha256').update(`${server}\0${replica}`).digest().readUIntBE(0, 6);
