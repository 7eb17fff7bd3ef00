// What a step of the scenario is, and to what one can be done.
import { TEAMS, type Team } from './company.ts';
import type { Machine } from './machine.ts';
import type { Source, World } from './world.ts';

export interface Step {
  readonly weight: number;
  /** Those that it can be done to. */
  readonly of: (world: World) => readonly Target[];
  readonly act: (world: World, target: Target) => Promise<string>;
}
/** A team or a replica by its name. */
export type Target = Source | Machine | string;

export const step = <T extends Target>(weight: number, of: (world: World) => readonly T[], act: (world: World, target: T) => Promise<string>): Step => ({
  weight,
  of,
  act: act as Step['act'],
});

export const named = ({ machine, team }: Source): string => `${machine.place.name}/${team ?? 'operator'}`;
export const hasPlace =
  (world: World) =>
  (source: Source): boolean =>
    source.configMap !== 'gone' && (source.team === undefined || world.teamOf(source.team).namespace);
export const up = (world: World): readonly Machine[] => world.machines.filter(({ isUp }) => isUp);
/** What is in force of a team is known on every server. */
export const settledTeams = (world: World, accept: (team: Team) => boolean): readonly Team[] =>
  TEAMS.filter((team) => accept(team) && world.sources.every((source) => source.team !== team || allSettled(world, source)));
/** Also of those that share something with it. */
export const allSettled = (world: World, { machine }: Source): boolean =>
  world.sourcesOf(machine).every(({ isSettled, team }) => isSettled || team === undefined);
export const takable = (world: World): readonly Source[] =>
  world.sources.filter((source) => world.isReadable(source) && source.isSettled && allSettled(world, source));
export const working = (world: World): readonly string[] => [...world.replicas.running.keys()].filter((name) => name !== world.stopped);
